"""Aggregates of sliding windows, for all orders of a batch at once.

The logs of the entities lie one after the other, so that entity and time together rise throughout. A window is then two
positions, found by bisection; what is additive in it is a difference of running sums of whole numbers, so that it does
not depend on what else is in the batch.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.velocity.definitions import Velocity
from app.velocity.logs import Columns, EntityLogs, ragged
from app.velocity.records import Ints

Floats = NDArray[np.float64]

_GENUINE = {"genuine": "count", "genuine_amount": "amount", "genuine_squares": "squares"}

_ZERO = np.zeros(1, np.int64)
_RANK_SHIFT = np.int64(43)  # more than any time in ms before the year 2200
_LEAST_DEVIATION = 1e-6  # of the mean: below it, values did not vary


class _Repeats(NamedTuple):
    """Of one column: entries whose value comes again at the same entity.

    ``given`` [entries + 1] counts values up to each entry; ``at`` [repeats] are the entries, ``seen_again`` [repeats]
    the first order at or after the entry that repeats each; ``of_others`` [n] counts those of the entities before each
    order's, and ``before_here`` [n] the entries of the order's entity that repeat one, up to the order.
    """

    given: Ints
    at: Ints
    seen_again: Ints
    of_others: Ints
    before_here: Ints


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
        self.beyond = self.here + 1
        self._starts: dict[tuple[int, ...], Ints] = {}
        self._gathered: Columns = {}
        self._sums: dict[str, Ints] = {}
        self._repeats: dict[str, _Repeats] = {}
        rank = np.repeat(np.arange(len(touched)), lengths)
        self._time = (rank << _RANK_SHIFT) + self.column("ts")
        self._rank = rank

    def column(self, name: str) -> NDArray[Any]:
        """A column of the entries, or of ``genuine`` ones: 1, their amounts, and those squared, 0 at all others."""
        found = self._gathered.get(name)
        if found is None:
            found = self._gathered[name] = self._genuine(name) if name in _GENUINE else self._columns[name][self._at]
        return found

    def _genuine(self, name: str) -> NDArray[Any]:
        """Coarse entries with a fraud in them are left out as a whole."""
        return np.asarray(np.where(self.column("frauds") == 0, self.column(_GENUINE[name]), 0))

    def entries(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Every entry from ``start`` up to before ``stop`` [n]: the number of its order and its position."""
        lengths = np.maximum(stop - start, 0)
        return np.repeat(np.arange(len(start)), lengths), ragged(start, lengths)

    def after(self, agos_ms: Sequence[int]) -> Ints:
        """Position of the first entry younger than each of ``agos_ms`` [w] at each order [w, n]."""
        name = tuple(agos_ms)
        found = self._starts.get(name)
        if found is None:
            wanted = ((self._entity << _RANK_SHIFT) + self._ts) - np.array(agos_ms, np.int64)[:, None]
            found = self._starts[name] = self._time.searchsorted(wanted, "right")
        return found

    def total(self, name: str, start: Ints, stop: Ints) -> Ints:
        """The sum of a column from ``start`` up to before ``stop`` [w, n]."""
        sums = self._sums.get(name)
        if sums is None:
            sums = self._sums[name] = np.concatenate((_ZERO, self.column(name).cumsum()))
        return np.asarray(sums[stop] - sums[start])

    def over(self, reduce: np.ufunc, name: str, start: Ints, stop: Ints) -> NDArray[np.float64] | Ints:
        """A column reduced from ``start`` up to before ``stop`` [w, n], each for itself; 0 where there is none."""
        values = np.concatenate((self.column(name), _ZERO))
        bounds = np.empty((*start.shape, 2), np.int64)
        bounds[..., 0], bounds[..., 1] = start, stop
        found = reduce.reduceat(values, bounds.ravel())[::2].reshape(start.shape)
        return np.asarray(np.where(stop > start, found, 0))

    @property
    def own(self) -> Ints:
        """Each order's amount [n]."""
        return np.asarray(self.column("amount")[self.here])

    def distinct(self, name: str, start: Ints) -> Ints:
        """How many different values a column has from ``start`` up to each order [w, n], 0 not counted.

        A value counts at its last entry in the window; entries whose value comes again up to the order are left out.
        Orders go on in time, and so do the starts of their windows: an entry before the window whose value came again
        stays so from one order of its entity on.
        """
        repeats = self._repeats.get(name)
        if repeats is None:
            repeats = self._repeats[name] = self._found_repeats(name)
        stop = self.beyond
        earlier = self._left_by(repeats, start) - repeats.of_others
        return np.asarray(repeats.given[stop] - repeats.given[start] - (repeats.before_here - earlier))

    def _left_by(self, repeats: "_Repeats", start: Ints) -> Ints:
        """How many entries that come again have left the windows [w] and come again by each order [w, n]."""
        rows, orders = start.shape
        row = np.arange(rows)[:, None]
        wide = len(self._time) + 1
        left_at = (start + row * wide).ravel().searchsorted((repeats.at + row * wide).ravel(), "right")
        gone = np.maximum(left_at.reshape(rows, -1) - row * orders, repeats.seen_again)
        counts = np.bincount((gone + row * (orders + 1)).ravel(), minlength=rows * (orders + 1))
        return np.asarray(counts.reshape(rows, orders + 1)[:, :orders].cumsum(axis=1))

    def _found_repeats(self, name: str) -> "_Repeats":
        values = self.column(name)
        where = np.flatnonzero(values)
        mixed = values[where] ^ (self._rank[where].astype(np.uint64) * _ODD)
        order = where[mixed.argsort(kind="stable")]
        same = (values[order[1:]] == values[order[:-1]]) & (self._rank[order[1:]] == self._rank[order[:-1]])
        following = np.full(len(values), -1)
        following[order[:-1][same]] = order[1:][same]
        at = np.flatnonzero(following >= 0)
        is_repeat = np.zeros(len(values) + 1, np.int64)
        is_repeat[following[at] + 1] = 1
        count = is_repeat.cumsum()
        return _Repeats(
            given=np.concatenate(([0], (values != 0).cumsum())),
            at=at,
            seen_again=self.here.searchsorted(following[at], "left"),
            of_others=at.searchsorted(self.first, "left"),
            before_here=count[self.beyond] - count[self.first],
        )


_ODD = np.uint64(0x9E3779B97F4A7C15)


def span(velocities: Sequence[Velocity], windows: Windows) -> tuple[Ints, Ints]:
    """Where the windows of ``velocities`` [w] start at each order [w, n], and before which positions they stop.

    The latter are [n] where all of them include the order.
    """
    start = windows.after([velocity.delay_ms + velocity.window_ms for velocity in velocities])
    delays = [velocity.delay_ms for velocity in velocities]
    if not any(delays):
        return start, windows.beyond
    is_late = np.array(delays)[:, None] > 0
    return start, np.where(is_late, windows.after(delays), windows.beyond)


def ratio_of(part: Floats | Ints, whole: Ints) -> Floats:
    """``part`` over ``whole`` [w, n], 0 where that is 0."""
    return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0))


def deviations(amounts: Ints, mean: Floats, deviation: Floats) -> Floats:
    """How many standard deviations ``amounts`` lie from a mean [w, n], 0 where nothing varied."""
    varied = deviation > _LEAST_DEVIATION * mean
    return np.where(varied, (amounts - mean) / np.where(varied, deviation, 1), 0.0)
