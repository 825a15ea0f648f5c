"""The aggregates of the catalogue, each computed for every order of a batch at once."""

from collections.abc import Callable, Sequence

import numpy as np

from app.velocity import history
from app.velocity.definitions import Aggregate, Velocity
from app.velocity.records import MONEY_SCALE, Ints
from app.velocity.windows import Floats, Windows, deviations, ratio_of, span

Group = Sequence[Velocity]
"""Velocities [w] of one entity and aggregate, which differ in window and delay."""


def grouped(velocities: Sequence[Velocity]) -> list[list[int]]:
    """The indices of velocities of one entity that are computed together."""
    groups: dict[object, list[int]] = {}
    for index, velocity in enumerate(velocities):
        alone = index if velocity.aggregate in history.ALONE else None
        groups.setdefault((velocity.aggregate, velocity.of, velocity.limit, alone), []).append(index)
    return list(groups.values())


def values_of(group: Group, windows: Windows) -> Floats:
    """The values of velocities that are computed together at every order of ``windows`` [w, n]."""
    return np.asarray(_COMPUTED[group[0].aggregate](group, windows), np.float64)


def _count(group: Group, windows: Windows) -> Ints:
    return windows.total("count", *span(group, windows))


def _frauds(group: Group, windows: Windows) -> Ints:
    return windows.total("frauds", *span(group, windows))


def _sum(group: Group, windows: Windows) -> Floats:
    return np.asarray(windows.total("amount", *span(group, windows)) / MONEY_SCALE)


def _mean(group: Group, windows: Windows) -> Floats:
    return ratio_of(_sum(group, windows), _count(group, windows))


def _fraud_share(group: Group, windows: Windows) -> Floats:
    return ratio_of(_frauds(group, windows), _count(group, windows))


def _max(group: Group, windows: Windows) -> Floats:
    return np.asarray(windows.over(np.maximum, "largest", *span(group, windows)) / MONEY_SCALE)


def _distinct(group: Group, windows: Windows) -> Ints:
    return windows.distinct(str(group[0].of), span(group, windows)[0])


def _ratio(group: Group, windows: Windows) -> Floats:
    mean, _, count = _before(group, windows)
    return np.where(count > 0, windows.own / np.where(count > 0, mean, 1), 1.0)


def _zscore(group: Group, windows: Windows) -> Floats:
    mean, deviation, _ = _before(group, windows)
    return deviations(windows.own, mean, deviation)


def _before(group: Group, windows: Windows) -> tuple[Floats, Floats, Ints]:
    """Mean and standard deviation (1e-4 major units) and number of the orders in the windows before each order."""
    start, stop = span(group, windows)
    stop = stop - 1
    count = windows.total("count", start, stop)
    mean = ratio_of(windows.total("amount", start, stop), count)
    squares = ratio_of(windows.over(np.add, "squares", start, stop), count)
    return mean, np.sqrt(np.maximum(squares - mean * mean, 0)), count


_COMPUTED: dict[Aggregate, Callable[[Group, Windows], Floats | Ints]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "max": _max,
    "distinct": _distinct,
    "frauds": _frauds,
    "fraud_share": _fraud_share,
    "ratio": _ratio,
    "zscore": _zscore,
    **history.COMPUTED,
}
