"""Scoring with versions on trial: which of them scores whom, and from which recurrent state.

A state means something to its encoder alone. A row names the encoder of its state, so a version with another one
begins with zeros, user by user at the first click: the same after a restart and in a replay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.effects import Tried
from app.features.scan import Flags, Ints
from app.models.runtime import IntentScorer, RiskScorer, RiskScores
from app.models.trial import Shadow, Trial, encoder_code, merged
from app.models.waves import score_waves
from app.state.rows import Rows

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


def score_clicks_with(
    model: IntentScorer, trial: Trial[IntentScorer], clicks: Clicks, rows: Rows, hidden: Floats, users: Sequence[str]
) -> tuple[Floats, Floats, Tried]:
    """Probabilities of the intents [n, 7] and of a purchase [n], and what the versions on trial have to do with them.

    Args:
        model: that serves.
        trial: beside it.
        clicks: to be scored.
        rows: of the users; their encoders are set in place.
        hidden: recurrent states [users, H]; they move on in place.
        users: the name of each row.
    """
    if trial.is_empty:
        return *_scored(model, clicks, rows, hidden), Tried()
    before, encoders = hidden.copy(), rows["encoder"].copy()
    is_canary = _of_canary(trial, users)[clicks.user]
    mine = clicks.where(~is_canary)
    scores = _scored(model, mine, rows, hidden)
    unseen = [_shadowed(shadow, mine, encoders, before, users) for shadow in (trial.shadow, trial.replaced)]
    if trial.canary is None:
        return *scores, _tried(None, unseen, is_canary)
    rest = clicks.where(is_canary)
    theirs = trial.canary.attempt(lambda canary: _scored(canary, rest, rows, hidden))
    if theirs is None:
        _restore(rest, rows, hidden, encoders, before)
        probabilities, purchase = merged(scores, _scored(model, rest, rows, hidden), is_canary)
        return probabilities, purchase, _tried(None, unseen, is_canary)
    probabilities, purchase = merged(scores, theirs, is_canary)
    return probabilities, purchase, _tried(is_canary, unseen, is_canary)


def score_orders_with(
    model: RiskScorer, trial: Trial[RiskScorer], features: Floats, users: Sequence[str]
) -> tuple[RiskScores, Tried]:
    """Scores of orders [m] with features [m, G], and what the versions on trial have to do with them.

    Args:
        model: that serves.
        trial: beside it.
        features: of the orders.
        users: the user of each order.
    """
    if trial.is_empty:
        return model.score(features), Tried()
    is_canary = _of_canary(trial, users)
    scores = model.score(features)
    unseen = Tried(
        shadow=_orders_shadowed(trial.shadow, features, is_canary),
        replaced=_orders_shadowed(trial.replaced, features, is_canary),
    )
    if not is_canary.any() or trial.canary is None:
        return scores, unseen
    theirs = trial.canary.attempt(lambda canary: canary.score(features[is_canary]))
    if theirs is None:
        return scores, unseen
    for mine, other in ((scores.probability, theirs.probability), (scores.contributions, theirs.contributions)):
        mine[is_canary] = other
    return scores, replace(unseen, canary=is_canary)


def _orders_shadowed(shadow: Shadow[RiskScorer] | None, features: Floats, is_canary: Flags) -> Floats | None:
    told = None if shadow is None else shadow.attempt(lambda other: other.score(features))
    return None if told is None else np.where(is_canary, np.float32(np.nan), told.probability)


def _of_canary(trial: Trial[IntentScorer] | Trial[RiskScorer], users: Sequence[str]) -> Flags:
    if trial.canary is None or trial.canary.failure is not None:
        return np.zeros(len(users), np.bool_)
    return trial.canary.takes(users)


def _scored(model: IntentScorer, clicks: Clicks, rows: Rows, hidden: Floats) -> tuple[Floats, Floats]:
    """Scores of ``clicks``; the states of their users are this model's from here on."""
    code = encoder_code(model.encoder, model.name, model.version)
    asked = np.zeros(len(rows), np.bool_)
    asked[clicks.user] = True
    hidden[asked & (rows["encoder"] != code)] = 0
    rows["encoder"][asked] = code
    return score_waves(model, clicks.features, hidden, clicks.user, clicks.rank)


def _shadowed(
    shadow: Shadow[IntentScorer] | None, clicks: Clicks, encoders: Ints, before: Floats, users: Sequence[str]
) -> tuple[Floats, Floats] | None:
    """What the shadow says of ``clicks``, whose users had the states ``before`` of these ``encoders``."""
    if shadow is None or not len(clicks.user):
        return None
    if shadow.states is None:
        code = encoder_code(shadow.model.encoder, shadow.model.name, shadow.model.version)
        hidden = np.where((encoders == code)[:, None], before, np.float32(0))
    else:
        hidden = shadow.states.get(users)
        hidden[encoders == 0] = 0  # whose history begins here
    told = shadow.attempt(lambda model: score_waves(model, clicks.features, hidden, clicks.user, clicks.rank))
    if told is not None and shadow.states is not None:
        mine = np.unique(clicks.user)
        shadow.states.put([users[row] for row in mine.tolist()], hidden[mine])
    return told


def _tried(canary: Flags | None, unseen: Sequence[tuple[Floats, Floats] | None], is_canary: Flags) -> Tried:
    shadow, replaced = unseen
    return Tried(
        canary,
        None if shadow is None else _asked(shadow[1], is_canary, np.nan),
        None if shadow is None else _asked(shadow[0].argmax(axis=1), is_canary, -1),
        None if replaced is None else _asked(replaced[1], is_canary, np.nan),
    )


def _asked(values: NDArray[Any], is_canary: Flags, otherwise: float) -> NDArray[Any]:
    """A column with ``values`` where it was not the canary's turn."""
    column = np.full(len(is_canary), otherwise, values.dtype)
    column[~is_canary] = values
    return column


def _restore(clicks: Clicks, rows: Rows, hidden: Floats, encoders: Ints, before: Floats) -> None:
    hidden[clicks.user] = before[clicks.user]
    rows["encoder"][clicks.user] = encoders[clicks.user]
