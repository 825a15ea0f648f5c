"""Aggregates of sliding windows, for all orders of a batch at once.

The logs of the entities lie one after the other, so that entity and time together rise throughout. A window is then two
positions, found by bisection; what is additive in it is a difference of running sums of whole numbers, so that it does
not depend on what else is in the batch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.features.scan import Ints, group_starts, ragged, run_lengths
from app.velocity.definitions import Velocity
from app.velocity.entities import ENTITIES
from app.velocity.logs import EntityLogs

Floats = NDArray[np.float64]

_GENUINE = {"genuine": "count", "genuine_amount": "amount", "genuine_squares": "squares"}

_ZERO = np.zeros(1, np.int64)
_RANK_SHIFT = np.int64(43)  # more than any time in ms before the year 2200
_LEAST_DEVIATION = 1e-6  # of the mean: below it, values did not vary
_KIND_BOUNDS = np.arange(len(ENTITIES) + 1)


class Windows:
    """The logs that a batch touched, with its orders [n] in them.

    ``here`` [n] is the position of each order in the logs, one after the other, and ``beyond`` [n] the next one;
    ``order_bounds`` [kinds + 1] are where the orders of each kind of entity begin, ``entry_bounds`` where the logs do.

    Args:
        logs: with the orders entered.
        slots: of the entity of each order [n]: one kind of entity after the other, and those of an entity together.
        kinds: of the entities [n].
        place: of each order in its entity's log [n].
        ts: their times in ms [n], which never fall within an entity.
    """

    def __init__(self, logs: EntityLogs, slots: Ints, kinds: Ints, place: Ints, ts: Ints) -> None:
        starts = group_starts(slots)
        counts = run_lengths(starts, len(slots))
        touched = slots[starts]
        lengths = logs.length[touched]
        ends = lengths.cumsum()
        self.logs = logs
        self.rank = np.arange(len(touched)).repeat(lengths)
        """Number of the entity of each entry [entries]."""
        self.first = (ends - lengths).repeat(counts)
        """Position of the entity's first entry [n]."""
        self.here = self.first + place
        self.beyond = self.here + 1
        self.order_bounds = kinds.searchsorted(_KIND_BOUNDS)
        self.entry_bounds = np.concatenate((_ZERO, ends))[kinds[starts].searchsorted(_KIND_BOUNDS)]
        self._at = ragged(logs.start[touched], lengths)
        self._gathered: dict[str, NDArray[Any]] = {}
        self._sums: dict[str, Ints] = {}
        self._time = (self.rank << _RANK_SHIFT) + self.column("ts")
        self._now = (np.arange(len(touched)).repeat(counts) << _RANK_SHIFT) + ts

    def __len__(self) -> int:
        return len(self.here)

    def column(self, name: str) -> NDArray[Any]:
        """A column of the entries, or of ``genuine`` ones: 1, their amounts, and those squared, 0 at all others."""
        found = self._gathered.get(name)
        if found is None:
            gathered = self._genuine(name) if name in _GENUINE else self.logs.columns[name][self._at]
            found = self._gathered[name] = gathered
        return found

    def others(self, kind: int, of: int) -> NDArray[np.uint64]:
        """The keys of another kind that entries at entities of a kind have."""
        own = slice(*self.entry_bounds[kind : kind + 2].tolist())
        return np.asarray(self.logs.columns[self.logs.other(kind, of)][self._at[own]])

    def _genuine(self, name: str) -> NDArray[Any]:
        """Coarse entries with a fraud in them are left out as a whole."""
        return np.asarray(np.where(self.column("frauds") == 0, self.column(_GENUINE[name]), 0))

    def entries(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Every entry from ``start`` up to before ``stop`` [n]: the number of its order and its position."""
        lengths = np.maximum(stop - start, 0)
        return np.arange(len(start)).repeat(lengths), ragged(start, lengths)

    def after(self, orders: Ints, agos_ms: Ints | int) -> Ints:
        """Position of the first entry younger than ``agos_ms`` [m], or one, at each of ``orders`` [m]."""
        return np.asarray(self._time.searchsorted(self._now[orders] - agos_ms, "right"))

    def total(self, name: str, start: Ints, stop: Ints) -> Ints:
        """The sum of a column from ``start`` up to before ``stop`` [m]."""
        sums = self._sums.get(name)
        if sums is None:
            sums = self._sums[name] = np.concatenate((_ZERO, self.column(name).cumsum()))
        return np.asarray(sums[stop] - sums[start])

    def over(self, reduce: np.ufunc, name: str, start: Ints, stop: Ints) -> NDArray[np.float64] | Ints:
        """A column reduced from ``start`` up to before ``stop`` [m], each for itself; 0 where there is none."""
        values = np.concatenate((self.column(name), _ZERO))
        bounds = np.empty((len(start), 2), np.int64)
        bounds[:, 0], bounds[:, 1] = start, stop
        found = reduce.reduceat(values, bounds.ravel())[::2]
        return np.asarray(np.where(stop > start, found, 0))

    def amounts(self, orders: Ints) -> Ints:
        """Those of ``orders`` [m]."""
        return np.asarray(self.column("amount")[self.here[orders]])


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Velocities [w] that are computed together: they differ in kind of entity, window and delay, or in what they
    count. ``first`` is the place of the first of them in the plan."""

    velocities: tuple[Velocity, ...]
    first: int


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Of velocities one after the other the ``orders`` [m] that each concerns, by their places in the windows, and
    where its window begins at each [m] and before which position it ends [m]. ``bounds`` [w + 1]: where each begins."""

    orders: Ints
    start: Ints
    stop: Ints
    bounds: Ints

    def of(self, group: Group) -> "Spans":
        """Those of some velocities of the plan."""
        bounds = self.bounds[group.first : group.first + len(group.velocities) + 1]
        part = slice(int(bounds[0]), int(bounds[-1]))
        return Spans(self.orders[part], self.start[part], self.stop[part], bounds - bounds[0])


def ratio_of(part: Floats | Ints, whole: Ints) -> Floats:
    """``part`` over ``whole`` [m], 0 where that is 0."""
    return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0))


def deviations(amounts: Ints, mean: Floats, deviation: Floats) -> Floats:
    """How many standard deviations ``amounts`` lie from a mean [m], 0 where nothing varied."""
    varied = deviation > _LEAST_DEVIATION * mean
    return np.where(varied, (amounts - mean) / np.where(varied, deviation, 1), 0.0)
