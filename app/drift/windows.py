"""A sample of what a model was given and said, counted by partition and by windows of event time.

The same rows give the same reports however they were cut into steps: which are counted depends on themselves, and
where a window ends on those before, in their partition's order. The counts live in memory alone: of a window in which
a worker was restarted or took a partition over, only what came after is judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.drift.distribution import Counts, Distribution
from app.events.stream_time import StreamTime

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_MOST_PENDING = 2_048
_NONE = -1  # number of no window


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """What is counted and when it is too much.

    Windows are of ``window_ms`` of event time; of clicks one in ``one_in`` is counted. A window of fewer than
    ``min_rows`` counted rows goes on with the next. ``max_psi`` is the index above which there is an alert.
    """

    window_ms: int = 86_400_000
    one_in: int = 16
    min_rows: int = 1_000
    max_psi: float = 0.25


DEFAULT_LIMITS: Final = DriftLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows [n] of one step in processing order: partitions, users, times in ms, features [n, F] and scores [n]."""

    partition: NDArray[np.int32]
    users: list[str]
    ts: Ints
    features: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.users)

    def at(self, places: Ints) -> "Rows":
        """Those at ``places``, in their order."""
        users = [self.users[place] for place in places.tolist()]
        return Rows(self.partition[places], users, self.ts[places], self.features[places], self.scores[places])


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A window of one partition that is over: ``end`` in ms, the ``rows`` counted, the times of the first and the last
    of them, and the index of each input and of the scores, by the ``names``."""

    partition: int
    end: int
    rows: int
    first_ts: int
    last_ts: int
    names: tuple[str, ...]
    psi: NDArray[np.float64]


@dataclass
class _Open:
    """The window of a partition that is open."""

    counts: Counts
    time: StreamTime = field(default_factory=StreamTime)
    number: int = _NONE
    rows: int = 0
    first_ts: int = 0
    last_ts: int = 0


class Windows:
    """The open windows of one version of a model."""

    def __init__(self, distribution: Distribution, limits: DriftLimits) -> None:
        self.distribution = distribution
        self.limits = limits
        self._open: dict[int, _Open] = {}
        self._pending: list[Rows] = []
        self._pending_rows = 0

    def take(self, rows: Rows) -> list[Window]:
        """Count rows in; tells the windows that they end, all of partitions that ``rows`` are of."""
        if len(rows) == 0:
            return []
        self._pending.append(rows)
        self._pending_rows += len(rows)
        if self.may_end(rows.partition, rows.ts) or self._pending_rows > _MOST_PENDING:
            return self._count()
        return []

    def may_end(self, partition: NDArray[np.int32], ts: Ints) -> bool:
        """Whether rows [n > 0] of these partitions at these times may end a window, or begin a partition's first."""
        numbers = {self._open[one].number if one in self._open else _NONE for one in set(partition.tolist())}
        numbers |= {int(ts.min()) // self.limits.window_ms, int(ts.max()) // self.limits.window_ms}
        return len(numbers) > 1

    def drop(self, partition: int) -> None:
        """Forget a partition."""
        self._count()
        self._open.pop(partition, None)

    def _count(self) -> list[Window]:
        """Count what is pending: many rows at once cost little more than few."""
        pending, self._pending, self._pending_rows = self._pending, [], 0
        if not pending:
            return []
        rows = _joined(pending)
        ended: list[Window] = []
        for partition in np.unique(rows.partition).tolist():
            ended += self._count_in(partition, rows.at(np.flatnonzero(rows.partition == partition)))
        return ended

    def _count_in(self, partition: int, rows: Rows) -> list[Window]:
        """Count rows of one partition, from one end of a window to the next."""
        one = self._open.setdefault(partition, _Open(self.distribution.empty()))
        numbers = one.time.advance(rows.ts, lambda: rows.users) // self.limits.window_ms
        bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
        ended = []
        for start, stop in pairwise(bounds):
            number = int(numbers[start])
            if number != one.number and (window := self._end(partition, one, number)) is not None:
                ended.append(window)
            self._add(one, rows, slice(start, stop))
        return ended

    def _end(self, partition: int, one: _Open, number: int) -> Window | None:
        """Go on to window ``number``; tells the one that is over, if it has rows enough."""
        before, one.number = one.number, number
        is_back = number < before  # the clock of the first record was wrong
        if not is_back and one.rows < self.limits.min_rows:
            return None
        found = None
        if not is_back:
            end, psi = (before + 1) * self.limits.window_ms, self.distribution.psi(one.counts)
            found = Window(partition, end, one.rows, one.first_ts, one.last_ts, self.distribution.names, psi)
        one.counts, one.rows = self.distribution.empty(), 0
        return found

    def _add(self, one: _Open, rows: Rows, run: slice) -> None:
        ts = rows.ts[run]
        one.counts += self.distribution.counts(rows.features[run], rows.scores[run])
        one.first_ts = min(one.first_ts, int(ts.min())) if one.rows else int(ts.min())
        one.last_ts = max(one.last_ts, int(ts.max())) if one.rows else int(ts.max())
        one.rows += len(ts)


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(
        np.concatenate([part.partition for part in parts]),
        [user for part in parts for user in part.users],
        np.concatenate([part.ts for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
