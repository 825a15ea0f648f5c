"""Alignment: the input topics of one partition, merged by event time.

The rule is Kafka Streams' (KIP-353, KIP-695). Each topic's next record waits in a buffer; the earliest goes first.
When a topic's buffer is empty the others wait: while its lag is unknown, and while it has lag, without limit, since
the missing record exists; when it has none, for ``max_idle`` seconds, and then they go on, which is counted. A topic
that stayed idle holds nobody up until it has data again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from app.events.buffer import NOTHING, Buffer
from app.events.decode import Decoded
from app.velocity.joined import Joined

NO_LIMITS: Mapping[str, int] = {}

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
    joined: Joined | None = None
    """What its orders were told, in the order of their offsets; None where nothing is asked."""


class Aligner:
    """Merges the topics of one partition.

    Args:
        partition: number of the partition.
        topics: in order of precedence: of records with the same time, those of an earlier topic go first.
        max_idle: seconds to wait for a topic without lag.
    """

    def __init__(self, partition: int, topics: Sequence[str], max_idle: float) -> None:
        self.partition = partition
        self._buffers: Mapping[str, Buffer] = {topic: Buffer() for topic in topics}
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

    def next_offsets(self, topic: str, most: int) -> NDArray[np.int64]:
        """The offsets of the first records of ``topic`` that wait."""
        return self._buffers[topic].offsets(most)

    def next_times(self, topic: str, most: int) -> NDArray[np.int64]:
        """Their event times, in ms."""
        return self._buffers[topic].times(most)

    def take(self, lag: Lag, now: float, limit: int, most: Mapping[str, int] = NO_LIMITS) -> Aligned | None:
        """At most ``limit`` records that may go now, in order of event time; None if there are none.

        Args:
            lag: of this partition's topics.
            now: seconds on a monotonic clock.
            limit: most records to hand out.
            most: records of some topics to hand out; the next ones, and all that come after them, wait.
        """
        if all(buffer.is_used_up for buffer in self._buffers.values()):
            return None
        complete = [lag(topic) == 0 for topic in self._buffers]
        waiting = [buffer.waiting(limit, all_) for buffer, all_ in zip(self._buffers.values(), complete, strict=True)]
        ready, enforced = self._ready(waiting, complete, now)
        counts, ranks = [0] * len(waiting), [NOTHING] * len(waiting)
        if ready:
            counts, ranks = _merge(waiting, limit, [most.get(topic, limit) for topic in self._buffers])
        before = [buffer.next_offset for buffer in self._buffers.values()]
        slices = self._hand_out(counts, ranks)
        self._look_for_idle(complete, now)
        moved = {
            topic: buffer.next_offset
            for (topic, buffer), known in zip(self._buffers.items(), before, strict=True)
            if buffer.next_offset is not None and buffer.next_offset != known
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
            complete = lag(topic) == 0
            if len(buffer.waiting(1, complete)) == 0:
                if not complete:
                    return None
                since = buffer.idle_since if buffer.idle_since is not None else now
                deadlines.append(since + self._max_idle - now)
        return max(0.0, *deadlines) if deadlines else 0.0

    def _ready(self, waiting: Sequence[NDArray[np.int64]], complete: Sequence[bool], now: float) -> tuple[bool, bool]:
        """Whether records may go at all, and whether that means going on without an idle topic.

        Args:
            waiting: times of each topic's records.
            complete: whether each topic has no further ones.
            now: seconds on a monotonic clock.
        """
        ready, enforced = True, False
        for buffer, times, all_ in zip(self._buffers.values(), waiting, complete, strict=True):
            if len(times):
                buffer.idle_since = None
            elif not all_:
                buffer.idle_since = None
                ready = False
            else:
                buffer.idle_since = now if buffer.idle_since is None else buffer.idle_since
                enforced = True
                ready = ready and now - buffer.idle_since >= self._max_idle
        return ready, enforced

    def _look_for_idle(self, complete: Sequence[bool], now: float) -> None:
        """A topic that has just run out begins to be idle now, not when the others next have to wait for it."""
        for buffer, all_ in zip(self._buffers.values(), complete, strict=True):
            if buffer.records == 0 and buffer.idle_since is None and all_:
                buffer.idle_since = now

    def _hand_out(self, counts: Sequence[int], ranks: Sequence[NDArray[np.int64]]) -> list[Slice]:
        slices = []
        for buffer, count, rank in zip(self._buffers.values(), counts, ranks, strict=True):
            at = 0
            for decoded, start, stop in buffer.take(count):
                slices.append(Slice(decoded, start, stop, rank[at : at + stop - start]))
                at += stop - start
        return slices


def _merge(
    waiting: Sequence[NDArray[np.int64]], limit: int, most: Sequence[int]
) -> tuple[list[int], list[NDArray[np.int64]]]:
    """How many records of each topic may go, and their places in the merge.

    Args:
        waiting: times to merge by, which never fall, of at most ``limit`` + 1 records of each topic.
        limit: most records that may go.
        most: of each topic.

    It ends with the first topic that runs out: what it has next may come before all that is left.
    """
    filled = [index for index, times in enumerate(waiting) if len(times)]
    if len(filled) == 1:
        counts, ranks = [0] * len(waiting), [NOTHING] * len(waiting)
        counts[filled[0]] = count = min(limit, most[filled[0]], len(waiting[filled[0]]))
        ranks[filled[0]] = np.arange(count)
        return counts, ranks
    heads = [times[:limit] for times in waiting]
    order = np.concatenate(heads).argsort(kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    bounds = accumulate(map(len, heads), initial=0)
    places = [place[start:stop] for start, stop in pairwise(bounds)]
    runs_out = [
        int(rank[-1]) + 1 for rank, times in zip(places, waiting, strict=True) if len(rank) and len(times) <= limit
    ]
    held = [int(rank[first]) for rank, first in zip(places, most, strict=True) if first < len(rank)]
    end = min([limit, *runs_out, *held])
    counts = [int(rank.searchsorted(end)) for rank in places]
    return counts, [rank[:count] for rank, count in zip(places, counts, strict=True)]
