"""The records of one topic and partition that wait for alignment, and the times to merge them by.

They go in the order of their offsets. A record dated before an earlier one goes right after it. One that is dated
more than ``FAR_MS`` off, while the next one is not, has a wrong clock: it goes right away too, and holds nobody up.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.events.decode import Decoded

FAR_MS = 366 * 86_400_000
NOTHING = np.zeros(0, np.int64)

_FEW = 16  # records up to which going one by one is faster


@dataclass(eq=False)
class Buffer:
    """Fetches that are not used up.

    ``next_offset`` is the offset below which everything was handed out, ``idle_since`` when the buffer was first
    found empty with nothing left to fetch.
    """

    records: int = 0
    next_offset: int | None = None
    idle_since: float | None = None
    _fetches: deque[Decoded] = field(default_factory=deque)
    _cursor: int = 0  # records of the first fetch that are gone
    _latest: int = 0  # the time by which the latest record was handed out
    _believed: NDArray[np.int64] = field(default_factory=lambda: NOTHING)

    @property
    def is_used_up(self) -> bool:
        """Whether every fetch was handed out; those without records count too."""
        return not self._fetches

    def add(self, decoded: Decoded) -> None:
        """Append the records of the topic's next fetch."""
        if self.next_offset is None:
            self.next_offset = decoded.fetched.first_offset
        self._fetches.append(decoded)
        self.records += len(decoded)

    def offsets(self, most: int) -> NDArray[np.int64]:
        """Offsets of the first ``most`` records that wait."""
        return self._first(most, lambda fetch: fetch.offsets)

    def times(self, most: int) -> NDArray[np.int64]:
        """Event times of the first ``most`` records that wait, as they are, in ms."""
        return self._first(most, lambda fetch: fetch.ts)

    def waiting(self, limit: int, complete: bool) -> NDArray[np.int64]:
        """Times, never falling, of the first records that can be merged: up to ``limit`` and one more.

        Args:
            limit: most records that are going to be taken.
            complete: whether the topic has no further records; else one dated far off waits for the next to be judged.
        """
        if self.records == 0:
            return NOTHING
        ts = self.times(limit + 2)
        start = self._latest or _beginning(ts[:3].tolist(), complete)
        if start is None:
            return NOTHING
        if len(ts) <= _FEW or not self._believe_all(ts, start):
            self._believed = _believed(ts.tolist(), start, complete or len(ts) == limit + 2)
        return np.asarray(np.maximum.accumulate(self._believed)[: limit + 1])

    def _believe_all(self, ts: NDArray[np.int64], start: int) -> bool:
        """Whether no record is dated far off; all at once, where `_believed` goes one by one."""
        latest = np.maximum(np.maximum.accumulate(ts), start)
        near = bool(np.abs(ts - np.concatenate(([start], latest[:-1]))).max() <= FAR_MS)
        if near:
            self._believed = latest
        return near

    def take(self, count: int) -> list[tuple[Decoded, int, int]]:
        """Hand out the first ``count`` records, and every fetch that is then used up."""
        if count:
            self._latest = int(self._believed[count - 1])
        taken = []
        self.records -= count
        while self._fetches:
            first = self._fetches[0]
            stop = min(len(first), self._cursor + count)
            if stop > self._cursor:
                taken.append((first, self._cursor, stop))
            count -= stop - self._cursor
            self._cursor = stop
            if stop < len(first):
                self.next_offset = int(first.offsets[stop])
                break
            self.next_offset = first.next_offset
            self._fetches.popleft()
            self._cursor = 0
        return taken

    def _first(self, most: int, column: Callable[[Decoded], NDArray[np.int64]]) -> NDArray[np.int64]:
        """A column of the first ``most`` records that wait."""
        parts: list[NDArray[np.int64]] = []
        found = 0
        for index, fetch in enumerate(self._fetches):
            part = column(fetch)[self._cursor :] if index == 0 else column(fetch)
            parts.append(part[: most - found])
            found += len(parts[-1])
            if found >= most:
                break
        return parts[0] if len(parts) == 1 else np.concatenate([NOTHING, *parts])


def _beginning(ts: list[int], complete: bool) -> int | None:
    """The time to begin with: the earliest of the first three records, one with a wrong clock left out.

    None if it takes another record to tell.
    """
    if len(ts) < 3 and not complete and (len(ts) < 2 or abs(ts[1] - ts[0]) > FAR_MS):
        return None
    middle = sorted(ts)[(len(ts) - 1) // 2] if ts else 0
    return min((time for time in ts if abs(time - middle) <= FAR_MS), default=None)


def _believed(ts: list[int], latest: int, complete: bool) -> NDArray[np.int64]:
    """The time each record moves its topic to; without the last one if that must wait for the next to be judged."""
    times = []
    for time, after in zip(ts, [*ts[1:], None], strict=True):
        if abs(time - latest) <= FAR_MS:
            latest = max(latest, time)
        elif after is None and not complete:
            break
        elif after is None or abs(after - time) <= FAR_MS:
            latest = time
        times.append(latest)
    return np.array(times, np.int64)
