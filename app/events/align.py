"""Alignment: the input topics of one partition, merged by event time.

The rule is Kafka Streams' (KIP-353, KIP-695). Each topic's next record waits in a buffer; the earliest goes first.
When a topic's buffer is empty the others wait: while its lag is unknown, and while it has lag, without limit, since
the missing record exists; when it has none, for ``max_idle`` seconds, and then they go on, which is counted. A topic
that stayed idle holds nobody up until it has data again.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.events.decode import Decoded
from app.events.stream_time import MAX_JUMP_MS

Lag = Callable[[str], int | None]
"""Records of a topic that the broker has and this worker has not: None while that is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Records ``start`` to ``stop`` of a decoded fetch, and the place ``rank`` [stop - start] of each in the merge."""

    decoded: Decoded
    start: int
    stop: int
    rank: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Aligned:
    """What may be processed now: slices of fetches, and the offset each topic is then consumed up to."""

    partition: int
    slices: list[Slice]
    records: int
    next_offsets: dict[str, int]
    enforced: bool


@dataclass(eq=False)
class _Buffer:
    """The records of one topic that wait, with their merge times: event times made non-decreasing."""

    fetches: deque[Decoded] = field(default_factory=deque)
    times: deque[NDArray[np.int64]] = field(default_factory=deque)
    cursor: int = 0  # records of the first fetch that are gone
    records: int = 0
    next_offset: int | None = None  # everything below was handed out
    latest: int = 0  # the merge time of the newest record
    idle_since: float | None = None

    def add(self, decoded: Decoded) -> None:
        self.idle_since = None if len(decoded) else self.idle_since
        self.fetches.append(decoded)
        self.times.append(self._merge_times(decoded.ts))
        self.records += len(decoded)

    def _merge_times(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """A late record goes when the one before it went; so does one dated far ahead, which must not wait."""
        if len(ts) == 0:
            return ts
        start = self.latest or int(ts[0])
        believed = np.where(ts - start > MAX_JUMP_MS, start, ts)
        if np.all(believed == start) and len(ts) > 1:
            believed = ts  # the whole topic jumped
        times = np.maximum(np.maximum.accumulate(believed), self.latest)
        self.latest = int(times[-1])
        return np.asarray(times)

    def waiting(self) -> NDArray[np.int64]:
        """Merge times of everything that waits, in order."""
        parts = list(self.times)
        if parts and self.cursor:
            parts[0] = parts[0][self.cursor :]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def take(self, count: int) -> list[tuple[Decoded, int, int]]:
        """Hand out the first ``count`` records, and every fetch that is then used up."""
        taken = []
        self.records -= count
        while self.fetches:
            first = self.fetches[0]
            stop = min(len(first), self.cursor + count)
            if stop > self.cursor:
                taken.append((first, self.cursor, stop))
            count -= stop - self.cursor
            self.cursor = stop
            if stop < len(first):
                self.next_offset = int(first.offsets[stop])
                break
            self.next_offset = first.next_offset
            self.fetches.popleft()
            self.times.popleft()
            self.cursor = 0
        return taken


class Aligner:
    """Merges the topics of one partition.

    Args:
        partition: number of the partition.
        topics: in order of precedence: of records with the same time, those of an earlier topic go first.
        max_idle: seconds to wait for a topic without lag.
    """

    def __init__(self, partition: int, topics: Sequence[str], max_idle: float) -> None:
        self.partition = partition
        self._buffers: Mapping[str, _Buffer] = {topic: _Buffer() for topic in topics}
        self._max_idle = max_idle

    @property
    def records(self) -> int:
        """Records that wait."""
        return sum(buffer.records for buffer in self._buffers.values())

    def buffered(self, topic: str) -> int:
        """Records of ``topic`` that wait."""
        return self._buffers[topic].records

    def add(self, decoded: Decoded) -> None:
        """Let the records of a fetch wait for their turn."""
        self._buffers[decoded.topic].add(decoded)

    def take(self, lag: Lag, now: float, limit: int) -> Aligned | None:
        """At most ``limit`` records that may go now, in order of event time; None if there are none.

        Args:
            lag: of this partition's topics.
            now: seconds on a monotonic clock.
            limit: most records to hand out.
        """
        ready, enforced = self._ready(lag, now)
        times = {topic: buffer.waiting() for topic, buffer in self._buffers.items()}
        if ready:
            counts, ranks = _merge(list(times.values()), limit)
        else:
            counts, ranks = [0] * len(times), [np.zeros(0, np.int64)] * len(times)
        before = {topic: buffer.next_offset for topic, buffer in self._buffers.items()}
        slices = self._hand_out(counts, ranks)
        moved = {
            topic: buffer.next_offset
            for topic, buffer in self._buffers.items()
            if buffer.next_offset is not None and buffer.next_offset != before[topic]
        }
        if not slices and not moved:
            return None
        return Aligned(self.partition, slices, sum(counts), moved, enforced and bool(slices))

    def wait(self, lag: Lag, now: float) -> float | None:
        """Seconds until waiting records may go for lack of others; None if only new data can move them."""
        if not self.records:
            return None
        deadlines = []
        for topic, buffer in self._buffers.items():
            if buffer.records == 0:
                if lag(topic) != 0:
                    return None
                since = buffer.idle_since if buffer.idle_since is not None else now
                deadlines.append(since + self._max_idle - now)
        return max(0.0, *deadlines) if deadlines else 0.0

    def _ready(self, lag: Lag, now: float) -> tuple[bool, bool]:
        """Whether records may go at all, and whether that means going on without an idle topic."""
        enforced = False
        for topic, buffer in self._buffers.items():
            if buffer.records:
                continue
            if lag(topic) != 0:
                buffer.idle_since = None
                return False, False
            if buffer.idle_since is None:
                buffer.idle_since = now
            if now - buffer.idle_since < self._max_idle:
                return False, False
            enforced = True
        return True, enforced

    def _hand_out(self, counts: Sequence[int], ranks: Sequence[NDArray[np.int64]]) -> list[Slice]:
        slices = []
        for buffer, count, rank in zip(self._buffers.values(), counts, ranks, strict=True):
            at = 0
            for decoded, start, stop in buffer.take(count):
                slices.append(Slice(decoded, start, stop, rank[at : at + stop - start]))
                at += stop - start
        return slices


def _merge(times: Sequence[NDArray[np.int64]], limit: int) -> tuple[list[int], list[NDArray[np.int64]]]:
    """How many records of each topic may go, and their places in the merge.

    It ends with the first topic that runs out: what it has next may come before all that is left.
    """
    heads = [waiting[:limit] for waiting in times]
    order = np.argsort(np.concatenate(heads), kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    places = np.split(place, np.cumsum([len(head) for head in heads])[:-1])
    runs_out = [
        int(rank[-1]) + 1 for rank, waiting in zip(places, times, strict=True) if len(rank) and len(waiting) <= limit
    ]
    end = min([limit, *runs_out])
    counts = [int(np.searchsorted(rank, end)) for rank in places]
    return counts, [rank[:count] for rank, count in zip(places, counts, strict=True)]
