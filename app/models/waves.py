"""A batch through a recurrent model: the k-th click of every user together.

A user's clicks must go one after another, as each needs the state the one before left; different users' clicks do
not. Waves get no padding, only smaller and smaller; those of one size are of the same users and go in one call.
"""

from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.models.outlook import OUTLOOK
from app.models.runtime import IntentScorer
from schemas.outputs import INTENTS

Floats = NDArray[np.float32]


class Scores(NamedTuple):
    """Of n clicks: probabilities of the intents [n, 7], of a purchase in the session [n], and the ``outlook`` [n, 26].

    A model that has no outlook has NaN in all of it; one that has one and fails there has no purchase either.
    """

    probabilities: Floats
    purchase: Floats
    outlook: Floats


def score_waves(
    model: IntentScorer,
    features: Floats,
    hidden: Floats,
    user: NDArray[np.integer[Any]],
    rank: NDArray[np.integer[Any]],
) -> Scores:
    """Score clicks in order per user, wave by wave.

    Args:
        model: scores one click per user at a time.
        features: the model's inputs [n, F].
        hidden: recurrent states [users, H]; those of the users here are updated in place.
        user: row of ``hidden`` for each click [n].
        rank: position of each click among its user's clicks here [n], from 0 without gaps.

    Returns:
        What the model said, in the order given, as it said it; a state that is not finite begins anew instead, so
        that the user's next click is scored.
    """
    if len(rank) == 0:
        empty = np.zeros((0, len(INTENTS) + len(OUTLOOK)), np.float32)
        return Scores(empty[:, : len(INTENTS)], empty[:, 0], empty[:, len(INTENTS) :])
    order = np.argsort(rank, kind="stable")
    features, user, sizes = features[order], user[order], np.bincount(rank).tolist()
    before = hidden.copy()
    scores = _run(model, features, hidden, user, sizes, mend=False)
    if not (np.isfinite(scores.purchase).all() and np.isfinite(hidden).all()):
        hidden[:] = before
        scores = _run(model, features, hidden, user, sizes, mend=True)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return Scores(*(column[back] for column in scores))


def _run(
    model: IntentScorer,
    features: Floats,
    hidden: Floats,
    user: NDArray[np.integer[Any]],
    sizes: list[int],
    *,
    mend: bool,
) -> Scores:
    """Score waves of the given sizes, one after the other; ``mend`` looks at every state that a wave leaves."""
    probabilities: list[Floats] = []
    purchase: list[Floats] = []
    outlook: list[Floats] = []
    start = 0
    for size, turns in [(size, 1) for size in sizes] if mend else _runs(sizes):
        stop = start + size * turns
        # One row is a view: a busy user's many waves need no gathering.
        users: Any = user[start : start + size] if size > 1 else slice(user[start], user[start] + 1)
        if turns == 1:
            scores = model.score(features[start:stop], hidden[users])
        else:
            scores = model.score_in_turn(features[start:stop].reshape(turns, size, -1), hidden[users])
        hidden[users] = _finite(scores.hidden) if mend else scores.hidden
        probabilities.append(scores.probabilities.reshape(stop - start, -1))
        purchase.append(scores.purchase.ravel())
        if scores.outlook is not None:
            outlook.append(scores.outlook.reshape(stop - start, -1))
        start = stop
    of_purchase = np.concatenate(purchase)
    if not outlook:
        return Scores(np.concatenate(probabilities), of_purchase, np.full((start, len(OUTLOOK)), np.nan, np.float32))
    more = np.concatenate(outlook)
    of_purchase[~np.isfinite(more).all(axis=1)] = np.nan
    return Scores(np.concatenate(probabilities), of_purchase, more)


def _runs(sizes: list[int]) -> list[tuple[int, int]]:
    """Each size in a row with how many times it comes."""
    return [(size, len(list(run))) for size, run in groupby(sizes)]


def _finite(hidden: Floats) -> Floats:
    """States [n, H] with zeros in place of those that are not finite."""
    return np.where(np.isfinite(hidden).all(axis=1, keepdims=True), hidden, np.float32(0))
