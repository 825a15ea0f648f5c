"""A batch through a recurrent model: the k-th click of every user together.

A user's clicks must go one after another, as each needs the state the one before left; different users' clicks do
not. So a batch takes as many calls as its busiest user has clicks, and no padding.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.models.runtime import IntentScorer
from schemas.outputs import INTENTS

Floats = NDArray[np.float32]


def score_waves(
    model: IntentScorer,
    features: Floats,
    hidden: Floats,
    user: NDArray[np.integer[Any]],
    rank: NDArray[np.integer[Any]],
) -> tuple[Floats, Floats]:
    """Score clicks in order per user, one call of ``model`` per wave.

    Args:
        model: scores one click per user at a time.
        features: the model's inputs [n, F].
        hidden: recurrent states [users, H]; those of the users here are updated in place.
        user: row of ``hidden`` for each click [n].
        rank: position of each click among its user's clicks here [n], from 0 without gaps.

    Returns:
        Probabilities of the intents [n, 7] and of a purchase in the session [n], in the order given, as the model
        gave them; a state that is not finite begins anew instead, so that the user's next click is scored.
    """
    if len(rank) == 0:
        return np.zeros((0, len(INTENTS)), np.float32), np.zeros(0, np.float32)
    order = np.argsort(rank, kind="stable")
    features, user, sizes = features[order], user[order], np.bincount(rank).tolist()
    before = hidden.copy()
    probabilities, purchase = _run(model, features, hidden, user, sizes, mend=False)
    if not (np.isfinite(purchase).all() and np.isfinite(hidden).all()):
        hidden[:] = before
        probabilities, purchase = _run(model, features, hidden, user, sizes, mend=True)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return probabilities[back], purchase[back]


def _run(
    model: IntentScorer,
    features: Floats,
    hidden: Floats,
    user: NDArray[np.integer[Any]],
    sizes: list[int],
    *,
    mend: bool,
) -> tuple[Floats, Floats]:
    """Score waves of the given sizes, one after the other; ``mend`` looks at every state that a wave leaves."""
    probabilities: list[Floats] = []
    purchase: list[Floats] = []
    score, start = model.score, 0
    for size in sizes:
        stop = start + size
        # One row is a view: a busy user's many waves need no gathering.
        users: Any = user[start:stop] if size > 1 else slice(user[start], user[start] + 1)
        scores = score(features[start:stop], hidden[users])
        hidden[users] = _finite(scores.hidden) if mend else scores.hidden
        probabilities.append(scores.probabilities)
        purchase.append(scores.purchase)
        start = stop
    return np.concatenate(probabilities), np.concatenate(purchase)


def _finite(hidden: Floats) -> Floats:
    """States [n, H] with zeros in place of those that are not finite."""
    return np.where(np.isfinite(hidden).all(axis=1, keepdims=True), hidden, np.float32(0))
