"""Why some of a batch's clicks were scored as they were: asked for by a setting or a command, nothing otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.effects import Explained, ScoredClicks
from app.explain.contributions import contributions
from app.features.scan import Flags, Ints
from app.models.runtime import IntentScorer
from app.models.trial import Trial, encoder_code
from app.scoring.trial import Clicks, Floats

Chosen = Callable[[ScoredClicks], Flags]
"""Which of scored clicks [n] are to be explained."""


@dataclass(frozen=True, slots=True)
class Explaining:
    """Which clicks are explained, and by how many pairs of orders: see `app.explain.contributions`."""

    chosen: Chosen
    pairs: int = 1


def from_probability(least: float) -> Explaining:
    """Clicks whose purchase probability is ``least`` or more are explained."""
    return Explaining(lambda scored: np.asarray(scored.purchase >= least))


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """The recurrent states [users, H] before a batch, and the encoder [users] that each is of."""

    hidden: Floats
    encoder: Ints

    def of(self, model: IntentScorer) -> Floats:
        """The states [users, H] that ``model`` goes on from: zeros where they are another encoder's."""
        code = encoder_code(model.encoder, model.name, model.version)
        return np.where((self.encoder == code)[:, None], self.hidden, np.float32(0))


def explained(
    explaining: Explaining,
    scored: ScoredClicks,
    clicks: Clicks,
    place: Ints,
    beginning: Beginning,
    model: IntentScorer,
    trial: Trial[IntentScorer],
) -> list[Explained | None] | None:
    """What moved the scores of the chosen ones of ``scored`` [n]; None if none was chosen.

    Args:
        explaining: says which.
        scored: in processing order.
        clicks: the same, sorted by user.
        place: where each of ``clicks`` [n] is in ``scored``.
        beginning: the states before them.
        model: that serves.
        trial: beside it; what a canary scored it explains.
    """
    chosen = explaining.chosen(scored) & np.isfinite(scored.purchase)
    if scored.tried.stand_in is not None:
        chosen &= ~scored.tried.stand_in  # whose states are not those of the rows
    if not chosen.any():
        return None
    found: list[Explained | None] = [None] * len(scored.clicks)
    for scorer, asked in _scorers(scored, model, trial):
        rows = (chosen & asked)[place]
        if rows.any():
            before = states_before(scorer, clicks, beginning.of(scorer), rows)
            at = place[rows]
            told = contributions(scorer, clicks.features[rows], before, scored.intent[at], explaining.pairs)
            for where, added, base in zip(at.tolist(), told.added, told.base, strict=True):
                found[where] = Explained(added, base)
    return found


def _scorers(scored: ScoredClicks, model: IntentScorer, trial: Trial[IntentScorer]) -> list[tuple[IntentScorer, Flags]]:
    """The versions that scored the clicks, and which ones [n] each did."""
    canary = scored.tried.canary
    if canary is None or trial.canary is None:
        return [(model, np.ones(len(scored.clicks), np.bool_))]
    return [(model, ~canary), (trial.canary.model, canary)]


def states_before(model: IntentScorer, clicks: Clicks, hidden: Floats, rows: Flags) -> Floats:
    """The recurrent states [m, H] that the clicks marked in ``rows`` [n] were scored from, by scoring again all that
    came before them in the batch.

    Args:
        model: that scored them.
        clicks: of the batch, sorted by user.
        hidden: the users' states before the batch [users, H]; moves on in place.
        rows: the clicks asked about.
    """
    last = np.full(len(hidden), -1)
    np.maximum.at(last, clicks.user[rows], clicks.rank[rows])
    needed = (clicks.rank <= last[clicks.user]).nonzero()[0]
    order = needed[np.argsort(clicks.rank[needed], kind="stable")]
    ends = np.cumsum(np.bincount(clicks.rank[needed]))
    found = np.zeros((len(rows), hidden.shape[1]), np.float32)
    for wave in np.split(order, ends[:-1]):
        users = clicks.user[wave]
        found[wave] = hidden[users]
        after = model.score(clicks.features[wave], found[wave]).hidden
        hidden[users] = np.where(np.isfinite(after).all(axis=1, keepdims=True), after, np.float32(0))
    return found[rows]
