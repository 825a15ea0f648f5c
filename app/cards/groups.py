"""Figures of one group of people or texts, with the interval that so few of them allow."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.training.figures import Ranking

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Groups = Mapping[str, Flags]
"""Rows [n] by the name of their group."""

ALL: Final = "all"
"""The group of all rows of a set."""

SEED: Final = 20_260_101
DRAWS: Final = 200
LEAST_OF_A_KIND: Final = 20
"""Rows of each answer below which a group has no figure: it would say nothing."""


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """One group of a set: rows, how many users they are of, how often the answer is yes and how often the model expects
    it (None: there are more than two answers), and the ``metric`` with the middle 95 % of draws of whole users; None
    where the group is too small."""

    set: str
    question: str
    attribute: str
    group: str
    rows: int
    users: int
    rate: float | None
    expected: float | None
    metric: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question about rows [n] of a ``set``, each of a ``user``: which are ``right``.

    Of two answers the probability of yes is ``told``, and ranking is measured; of several None, ``right`` then says
    where the model's answer was the true one, and their share is measured.
    """

    set: str
    name: str
    right: Flags
    told: NDArray[np.floating[Any]] | None
    user: Ints


def group_figures(question: Question, attribute: str, groups: Groups) -> Iterator[GroupFigure]:
    """The figures of every group that has rows; all rows come first, as the group `ALL`."""
    every = np.ones(len(question.right), np.bool_)
    for name, rows in {ALL: every, **groups}.items():
        if rows.any():
            yield _figure(question, attribute, name, rows)


def _figure(question: Question, attribute: str, name: str, rows: Flags) -> GroupFigure:
    right, user = question.right[rows], question.user[rows]
    told = None if question.told is None else question.told[rows]
    value = low = high = None
    if _is_enough(right, told is not None):
        value, low, high = _interval(_measure(right, told), user)
    return GroupFigure(
        set=question.set,
        question=question.name,
        attribute=attribute,
        group=name,
        rows=len(right),
        users=len(np.unique(user)),
        rate=None if told is None else round(float(right.mean()), 4),
        expected=None if told is None else round(float(told.mean()), 4),
        metric="accuracy" if told is None else "auc",
        value=value,
        low=low,
        high=high,
    )


def _is_enough(right: Flags, is_ranked: bool) -> bool:
    least = min(right.sum(), (~right).sum()) if is_ranked else len(right)
    return bool(least >= LEAST_OF_A_KIND)


def _measure(right: Flags, told: NDArray[np.floating[Any]] | None) -> Callable[[Ints], float]:
    """The metric of rows that count by a weight [n]."""
    if told is None:
        return lambda weight: float(np.average(right, weights=weight))
    return Ranking.of(right, told).auc


def _interval(measure: Callable[[Ints], float], user: Ints) -> tuple[float, float, float]:
    users, of_row = np.unique(user, return_inverse=True)
    random = np.random.default_rng(SEED)
    drawn = [
        measure(np.bincount(random.integers(0, len(users), len(users)), minlength=len(users))[of_row])
        for _ in range(DRAWS)
    ]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return round(measure(np.ones(len(user), np.int64)), 4), round(float(low), 4), round(float(high), 4)
