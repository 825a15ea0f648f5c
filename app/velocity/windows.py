"""Aggregates of sliding windows, for all orders of a batch at once.

The logs of the entities lie one after the other, so that entity and time together rise throughout. A window is then two
positions, found by bisection; what is additive in it is a difference of running sums of whole numbers, so that it does
not depend on what else is in the batch.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.velocity.definitions import Aggregate, Velocity
from app.velocity.logs import Columns, EntityLogs, ragged
from app.velocity.records import MONEY_SCALE, Ints

Floats = NDArray[np.float64]

_RANK_SHIFT = np.int64(43)  # more than any time in ms before the year 2200
_LEAST_DEVIATION = 1e-6  # of the mean: below it, values did not vary


class Windows:
    """The logs that a batch touched, with its orders [n] in them.

    Args:
        logs: of the kind, the orders entered.
        touched: slots of their entities [e], distinct.
        entity: of each order, its place in ``touched`` [n]; it never falls.
        place: of each order in its entity's log [n].
        ts: their times in ms [n].
    """

    def __init__(self, logs: EntityLogs, touched: Ints, entity: Ints, place: Ints, ts: Ints) -> None:
        lengths = logs.length[touched]
        self._at = ragged(logs.start[touched], lengths)
        self._columns = logs.columns
        self._lengths = lengths
        self._entity = entity
        self._ts = ts
        firsts = np.cumsum(lengths) - lengths
        self.first = firsts[entity]  # position of the entity's first entry [n]
        self.here = self.first + place
        self._starts: dict[int, Ints] = {}
        self._gathered: Columns = {}
        self._sums: dict[str, Ints] = {}
        rank = np.repeat(np.arange(len(touched)), lengths)
        self._time = (rank << _RANK_SHIFT) + self._gather("ts")
        self._rank = rank

    def _gather(self, name: str) -> Ints:
        found = self._gathered.get(name)
        if found is None:
            found = self._gathered[name] = self._columns[name][self._at]
        return found

    def after(self, ago_ms: int) -> Ints:
        """Position of the first entry younger than ``ago_ms`` at each order [n]."""
        found = self._starts.get(ago_ms)
        if found is None:
            wanted = (self._entity << _RANK_SHIFT) + (self._ts - ago_ms)
            found = self._starts[ago_ms] = self._time.searchsorted(wanted, "right")
        return found

    def total(self, name: str, start: Ints, stop: Ints) -> Ints:
        """The sum of a column from ``start`` up to before ``stop`` [n]."""
        sums = self._sums.get(name)
        if sums is None:
            sums = self._sums[name] = np.concatenate(([0], self._gather(name).cumsum()))
        return np.asarray(sums[stop] - sums[start])

    def over(self, reduce: np.ufunc, name: str, start: Ints, stop: Ints) -> NDArray[np.float64] | Ints:
        """A column reduced from ``start`` up to before ``stop`` [n], each element for itself; 0 if there is none."""
        values = np.append(self._gather(name), 0)
        found = reduce.reduceat(values, np.stack((start, stop), axis=1).ravel())[::2]
        return np.asarray(np.where(stop > start, found, 0))

    @property
    def own(self) -> Ints:
        """Each order's amount [n]."""
        return np.asarray(self._gather("amount")[self.here])

    def distinct(self, name: str, start: Ints) -> Ints:
        """How many different values a column has from ``start`` up to each order [n], 0 not counted.

        A value counts at its last entry in the window; entries whose value comes again up to the order are left out.
        Orders go on in time, and so do the starts of their windows: an entry before the window whose value came again
        stays so from one order of its entity on.
        """
        given, following = self._following(name)
        sums = np.concatenate(([0], given.cumsum()))
        again = np.flatnonzero(following >= 0)
        has_before = np.zeros(len(following) + 1, np.int64)
        has_before[following[again] + 1] = 1
        repeats = has_before.cumsum()
        out_of_window = start.searchsorted(again, "right")
        seen_again = self.here.searchsorted(following[again], "left")
        left = np.bincount(np.maximum(out_of_window, seen_again), minlength=len(start) + 1)[: len(start)].cumsum()
        earlier = left - again.searchsorted(self.first, "left")
        stop = self.here + 1
        return np.asarray(sums[stop] - sums[start] - (repeats[stop] - repeats[self.first] - earlier))

    def _following(self, name: str) -> tuple[NDArray[np.bool_], Ints]:
        """Which entries have a value, and the position of the next one with the same at the same entity, -1 if none."""
        values = self._gather(name).view(np.uint64)
        given = values != 0
        where = np.flatnonzero(given)
        mixed = values[where] ^ (self._rank[where].astype(np.uint64) * _ODD)
        order = where[mixed.argsort(kind="stable")]
        same = (values[order[1:]] == values[order[:-1]]) & (self._rank[order[1:]] == self._rank[order[:-1]])
        following = np.full(len(values), -1)
        following[order[:-1][same]] = order[1:][same]
        return given, following


_ODD = np.uint64(0x9E3779B97F4A7C15)


def values_of(velocity: Velocity, windows: Windows) -> Floats:
    """The values of a velocity at every order of ``windows`` [n]."""
    return np.asarray(_COMPUTED[velocity.aggregate](velocity, windows), np.float64)


def _span(velocity: Velocity, windows: Windows) -> tuple[Ints, Ints]:
    start = windows.after(velocity.delay_ms + velocity.window_ms)
    return start, windows.after(velocity.delay_ms) if velocity.delay_ms else windows.here + 1


def _count(velocity: Velocity, windows: Windows) -> Ints:
    return windows.total("count", *_span(velocity, windows))


def _frauds(velocity: Velocity, windows: Windows) -> Ints:
    return windows.total("frauds", *_span(velocity, windows))


def _sum(velocity: Velocity, windows: Windows) -> Floats:
    return np.asarray(windows.total("amount", *_span(velocity, windows)) / MONEY_SCALE)


def _mean(velocity: Velocity, windows: Windows) -> Floats:
    return _ratio_of(_sum(velocity, windows), _count(velocity, windows))


def _fraud_share(velocity: Velocity, windows: Windows) -> Floats:
    return _ratio_of(_frauds(velocity, windows), _count(velocity, windows))


def _max(velocity: Velocity, windows: Windows) -> Floats:
    return np.asarray(windows.over(np.maximum, "largest", *_span(velocity, windows)) / MONEY_SCALE)


def _distinct(velocity: Velocity, windows: Windows) -> Ints:
    return windows.distinct(str(velocity.of), windows.after(velocity.window_ms))


def _ratio(velocity: Velocity, windows: Windows) -> Floats:
    mean, _, count = _before(velocity, windows)
    return np.where(count > 0, windows.own / np.where(count > 0, mean, 1), 1.0)


def _zscore(velocity: Velocity, windows: Windows) -> Floats:
    mean, deviation, _ = _before(velocity, windows)
    varied = deviation > _LEAST_DEVIATION * mean
    return np.where(varied, (windows.own - mean) / np.where(varied, deviation, 1), 0.0)


def _before(velocity: Velocity, windows: Windows) -> tuple[Floats, Floats, Ints]:
    """Mean and standard deviation (1e-4 major units) and number of the orders in the window before each order."""
    start, stop = windows.after(velocity.window_ms), windows.here
    count = windows.total("count", start, stop)
    mean = _ratio_of(windows.total("amount", start, stop), count)
    squares = _ratio_of(windows.over(np.add, "squares", start, stop), count)
    return mean, np.sqrt(np.maximum(squares - mean * mean, 0)), count


def _ratio_of(part: Floats | Ints, whole: Ints) -> Floats:
    return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0))


_COMPUTED: dict[Aggregate, Callable[[Velocity, Windows], Floats | Ints]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "max": _max,
    "distinct": _distinct,
    "frauds": _frauds,
    "fraud_share": _fraud_share,
    "ratio": _ratio,
    "zscore": _zscore,
}
