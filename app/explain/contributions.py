"""What each input added to a score: Shapley values of the model itself, from paired permutations.

Beginning with a new visitor's first page view, the inputs take the click's values one after another, and what the
log-odds move at each is that input's. The order matters where inputs act together, so every order goes with its
reverse, and the mean counts: for a model whose inputs act at most in pairs that is the Shapley value exactly, and the
sum of all contributions is always the click's log-odds less those of the first page view (Mitchell, Cooper, Frank,
Holmes, "Sampling Permutations for Shapley Value Estimation", JMLR 23, 2022). The orders are the same for every click:
what is said of a click does not depend on its batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.explain.inputs import FEATURE_NAMES, INPUTS, first_page_view
from app.models.outlook import CHANCES, FIRST_ACTION, SESSION_ENDS
from app.models.runtime import IntentScorer, IntentScores
from schemas.outputs import INTENTS

Floats = NDArray[np.float32]
Wide = NDArray[np.float64]
Ints = NDArray[np.int64]

ANSWERS: Final = ("purchase", "intent", *CHANCES, "exit", "next_action")
"""What is explained: the probabilities of a purchase, of the intent asked about, of the outlook's chances, of the
session's end, and of the most probable next click. Of a model without an outlook the first two."""

PURCHASE, INTENT = 0, 1

_LEAST: Final = 1e-6  # float32 says nothing of the log-odds beyond
_SEED: Final = 20_260_101
_CALL_ROWS: Final = 8_192
_STATE: Final = len(INPUTS) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Log-odds [n, answers, inputs] that each of `INPUTS` added, for each of `ANSWERS`, to those of a new visitor's
    first page view, the ``base`` [n, answers]."""

    added: Wide
    base: Wide


def contributions(model: IntentScorer, features: Floats, hidden: Floats, intent: Ints, pairs: int = 1) -> Contributions:
    """The contributions to clicks' scores.

    Args:
        model: scores them.
        features: of the clicks [n, F].
        hidden: the recurrent states before them [n, H].
        intent: the column of the intent to be explained [n].
        pairs: how many orders, each with its reverse; the first is the catalogue's.
    """
    asked = _asked(model, features, hidden, intent)
    active = _active(features, hidden)
    orders = [order[np.isin(order, active)] for order in _orders(pairs)]
    size = max(1, _CALL_ROWS // (len(active) + 1))
    added = np.zeros((len(features), asked.shape[1], len(INPUTS)))
    base = np.zeros((len(features), asked.shape[1]))
    for start in range(0, len(features), size):
        rows = slice(start, start + size)
        for order in orders:
            path = _path(model, features[rows], hidden[rows], asked[rows], order)
            added[rows, :, order] += np.diff(path, axis=1).swapaxes(1, 2) / len(orders)
            base[rows] = path[:, 0]
    return Contributions(added, base)


def _asked(model: IntentScorer, features: Floats, hidden: Floats, intent: Ints) -> Ints:
    """The columns [n, answers] of what a model says, as `_said` puts it, that are to be explained."""
    outlook = model.score(features, hidden).outlook
    asked = [np.zeros_like(intent), 1 + intent]
    if outlook is not None and np.isfinite(outlook).all():
        begin = 1 + len(INTENTS)
        fixed = [*range(len(CHANCES)), SESSION_ENDS]
        asked += [np.full(len(intent), begin + column) for column in fixed]
        asked.append(begin + FIRST_ACTION + outlook[:, FIRST_ACTION:].argmax(axis=1))
    return np.stack(asked, axis=1)


def _said(scores: IntentScores) -> Floats:
    """All that a model says of clicks, side by side: the purchase, the intents and the outlook."""
    more = [] if scores.outlook is None else [scores.outlook]
    return np.hstack([scores.purchase[:, None], scores.probabilities, *more])


def _active(features: Floats, hidden: Floats) -> Ints:
    """The inputs in which some click differs from the first page view; the others add nothing to any."""
    owners = _owners()
    differs = np.zeros(len(INPUTS), np.bool_)
    differs[owners[(features != first_page_view()).any(axis=0)]] = True
    differs[_STATE] = bool(hidden.any())
    return differs.nonzero()[0]


def _owners() -> Ints:
    """The input that each feature [F] belongs to."""
    owner = {name: number for number, one in enumerate(INPUTS) for name in one.features}
    return np.array([owner[name] for name in FEATURE_NAMES])


def _orders(pairs: int) -> Iterator[Ints]:
    random = np.random.default_rng(_SEED)
    order = np.arange(len(INPUTS))
    for _ in range(pairs):
        yield order
        yield order[::-1]
        order = random.permutation(len(INPUTS))


def _path(model: IntentScorer, features: Floats, hidden: Floats, asked: Ints, order: Ints) -> Wide:
    """Log-odds [n, 1 + inputs, answers] of what is ``asked`` [n, answers] on the way: while the inputs take the click's
    values, in ``order``."""
    steps = len(order) + 1
    turn = np.full(len(INPUTS), steps)
    turn[order] = np.arange(len(order))
    taken = turn[_owners()] < np.arange(steps)[:, None]
    mixed = np.where(taken[None], features[:, None, :], first_page_view())
    has_state = turn[_STATE] < np.arange(steps)
    states = np.where(has_state[None, :, None], hidden[:, None, :], np.float32(0))
    said = _said(model.score(mixed.reshape(-1, mixed.shape[-1]), states.reshape(-1, states.shape[-1])))
    found = log_odds(np.take_along_axis(said, np.repeat(asked, steps, axis=0), axis=1))
    return found.reshape(len(features), steps, asked.shape[1])


def log_odds(probability: NDArray[np.floating[Any]]) -> Wide:
    """Of probabilities of any shape; those beyond one in a million count as that."""
    wide = np.clip(probability.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(wide / (1 - wide)))
