"""Scoring with versions on trial: which of them scores whom, and from which recurrent state.

A state means something to its encoder alone. A row names the encoder of its state, so a version with another one
begins with zeros, user by user at the first click: the same after a restart and in a replay.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.effects import Tried
from app.features.scan import Flags, Ints
from app.models.runtime import IntentScorer, RiskScorer, RiskScores
from app.models.trial import Failure, NotFinite, Shadow, Trial, encoder_code, merged
from app.models.waves import Scores, score_waves
from app.state.rows import Rows
from app.velocity.joined import Joined

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Clicks:
    """Clicks [n] to be scored: their features [n, F], the row of each one's user and its rank among that user's."""

    features: Floats
    user: Ints
    rank: Ints

    def where(self, chosen: Flags) -> "Clicks":
        """Those that ``chosen`` [n] marks: all of a user's, or none."""
        return Clicks(self.features[chosen], self.user[chosen], self.rank[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """The rows of the users and their states, and what both were before; the name of each row."""

    rows: Rows
    hidden: Floats
    encoders: Ints
    before: Floats
    users: Sequence[str]

    def restore(self, clicks: Clicks) -> None:
        """Let the users of ``clicks`` be what they were."""
        self.hidden[clicks.user] = self.before[clicks.user]
        self.rows["encoder"][clicks.user] = self.encoders[clicks.user]


def score_clicks_with(
    model: IntentScorer, trial: Trial[IntentScorer], clicks: Clicks, rows: Rows, hidden: Floats, users: Sequence[str]
) -> tuple[Scores, Tried]:
    """What is said of clicks [n], and what the versions on trial have to do with it.

    Args:
        model: that serves.
        trial: beside it.
        clicks: to be scored.
        rows: of the users; their encoders are set in place.
        hidden: recurrent states [users, H]; they move on in place.
        users: the name of each row.
    """
    if trial.is_empty:
        return _scored(model, clicks, rows, hidden), Tried()
    place = _Place(rows, hidden, rows["encoder"].copy(), hidden.copy(), users)
    is_canary = _of_canary(trial, users)[clicks.user]
    mine, rest = clicks.where(~is_canary), clicks.where(is_canary)
    scores, stand_in, replaced = _served(model, trial.replaced, mine, place)
    shadow = _shadowed(trial.shadow, mine, place)
    tried = Tried(
        shadow=None if shadow is None else _asked(shadow.purchase, is_canary, np.nan),
        shadow_intent=None if shadow is None else _asked(shadow.probabilities.argmax(axis=1), is_canary, -1),
        replaced=None if replaced is None else _asked(replaced.purchase, is_canary, np.nan),
        stand_in=None if stand_in is None else _asked(stand_in, is_canary, otherwise=False),
    )
    if trial.canary is None:
        return scores, tried
    theirs = trial.canary.attempt(lambda canary: _all_finite(_scored(canary, rest, rows, hidden)))
    if theirs is None:
        place.restore(rest)
        return Scores(*merged(scores, _scored(model, rest, rows, hidden), is_canary)), tried
    return Scores(*merged(scores, theirs, is_canary)), replace(tried, canary=is_canary)


def score_orders_with(
    model: RiskScorer, trial: Trial[RiskScorer], features: Floats, joined: Joined | None, users: Sequence[str]
) -> tuple[RiskScores, Tried]:
    """Scores of orders [m], and what the versions on trial have to do with them.

    Args:
        model: that serves.
        trial: beside it.
        features: of the orders [m, G].
        joined: what they were told of their entities.
        users: the user of each order.
    """

    def asked(one: RiskScorer) -> RiskScores:
        return one.score(one.inputs.of(features, joined))

    if trial.is_empty:
        return asked(model), Tried()
    is_canary = _of_canary(trial, users)
    scores, stand_in, replaced = _orders_served(model, trial.replaced, asked, len(users))
    shadow = None if trial.shadow is None else trial.shadow.attempt(asked)
    nowhere = np.float32(np.nan)
    tried = Tried(
        shadow=None if shadow is None else np.where(is_canary, nowhere, shadow.probability),
        replaced=None if replaced is None else np.where(is_canary, nowhere, replaced.probability),
        stand_in=None if stand_in is None else stand_in & ~is_canary,
    )
    if trial.canary is None or not is_canary.any():
        return scores, tried
    theirs = trial.canary.attempt(
        lambda canary: _all_finite_orders(canary.score(canary.inputs.of(features, joined)[is_canary]))
    )
    if theirs is None:
        return scores, tried
    return _replaced(scores, theirs, is_canary), replace(tried, canary=is_canary)


def _orders_served(
    model: RiskScorer, before: Shadow[RiskScorer] | None, asked: Callable[[RiskScorer], RiskScores], count: int
) -> tuple[RiskScores, Flags | None, RiskScores | None]:
    """What the serving version says, which rows the version before stood in for, and what that says."""
    replaced = None if before is None else before.attempt(asked)
    if before is None or replaced is None:
        return asked(model), None, None
    try:
        scores = asked(model)
    except Exception as error:  # the version before is there for this
        before.successor = Failure.of(error)
        return replaced, np.ones(count, np.bool_), replaced
    lacking = ~np.isfinite(scores.probability) & np.isfinite(replaced.probability)
    stood_in = RiskScores(replaced.probability[lacking], replaced.contributions[lacking])
    return _replaced(scores, stood_in, lacking), lacking, replaced


def _replaced(scores: RiskScores, others: RiskScores, rows: Flags) -> RiskScores:
    """``scores`` [m] with the ``others`` in these ``rows``; a row has the inputs of the version that scored it, and is
    filled up with zeros where those of another are more."""
    widths = scores.contributions.shape[1], others.contributions.shape[1]
    contributions = np.zeros((len(rows), max(widths)), np.float32)
    contributions[~rows, : widths[0]] = scores.contributions[~rows]
    contributions[rows, : widths[1]] = others.contributions
    probability = scores.probability.copy()
    probability[rows] = others.probability
    return RiskScores(probability, contributions)


def _all_finite_orders(scores: RiskScores) -> RiskScores:
    _require_finite(np.isfinite(scores.probability))
    return scores


def _all_finite(scores: Scores) -> Scores:
    _require_finite(_finite(scores))
    return scores


def _require_finite(finite: Flags) -> None:
    if not finite.all():
        raise NotFinite(f"{(~finite).sum()} of {len(finite)} scores are no finite numbers")


def _finite(scores: Scores) -> Flags:
    return np.asarray(np.isfinite(scores.probabilities).all(axis=1) & np.isfinite(scores.purchase))


def _of_canary(trial: Trial[IntentScorer] | Trial[RiskScorer], users: Sequence[str]) -> Flags:
    if trial.canary is None or trial.canary.failure is not None:
        return np.zeros(len(users), np.bool_)
    return trial.canary.takes(users)


def _scored(model: IntentScorer, clicks: Clicks, rows: Rows, hidden: Floats) -> Scores:
    """Scores of ``clicks``; the states of their users are this model's from here on."""
    code = encoder_code(model.encoder, model.name, model.version)
    asked = np.zeros(len(rows), np.bool_)
    asked[clicks.user] = True
    hidden[asked & (rows["encoder"] != code)] = 0
    rows["encoder"][asked] = code
    return score_waves(model, clicks.features, hidden, clicks.user, clicks.rank)


def _served(
    model: IntentScorer, before: Shadow[IntentScorer] | None, clicks: Clicks, place: _Place
) -> tuple[Scores, Flags | None, Scores | None]:
    """What the serving version says, which clicks the version before stood in for, and what that says."""
    replaced = _shadowed(before, clicks, place)
    if before is None or replaced is None:
        return _scored(model, clicks, place.rows, place.hidden), None, None
    try:
        scores = _scored(model, clicks, place.rows, place.hidden)
    except Exception as error:  # the version before is there for this
        before.successor = Failure.of(error)
        place.restore(clicks)
        scores = _scored(before.model, clicks, place.rows, place.hidden)
        return scores, np.ones(len(clicks.user), np.bool_), replaced
    lacking = ~_finite(scores) & _finite(replaced)
    for mine, other in zip(scores, replaced, strict=True):
        mine[lacking] = other[lacking]
    return scores, lacking, replaced


def _shadowed(shadow: Shadow[IntentScorer] | None, clicks: Clicks, place: _Place) -> Scores | None:
    """What the shadow says of ``clicks``."""
    if shadow is None or not len(clicks.user):
        return None
    if shadow.states is None:
        code = encoder_code(shadow.model.encoder, shadow.model.name, shadow.model.version)
        hidden = np.where((place.encoders == code)[:, None], place.before, np.float32(0))
    else:
        hidden = shadow.states.get(place.users)
        hidden[place.encoders == 0] = 0  # whose history begins here
    told = shadow.attempt(lambda model: score_waves(model, clicks.features, hidden, clicks.user, clicks.rank))
    if told is not None and shadow.states is not None:
        mine = np.unique(clicks.user)
        shadow.states.put([place.users[row] for row in mine.tolist()], hidden[mine])
    return None if told is None else Scores(*told)


def _asked(values: NDArray[Any], is_canary: Flags, otherwise: float) -> NDArray[Any]:
    """A column with ``values`` where it was not the canary's turn."""
    column = np.full(len(is_canary), otherwise, values.dtype)
    column[~is_canary] = values
    return column
