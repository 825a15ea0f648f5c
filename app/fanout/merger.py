"""What all partitions ask of one owner, merged by event time."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.fanout.messages import ASK, MARK, AskBatch, Ids, Rows
from app.velocity.records import Ints, Mark

IDLE_FOR_MS = 500
"""How long a partition that has read its input to the end is taken to be there still, without saying so again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ops:
    """Asks and marks of one source in its order, with the times that they are merged by, which never fall."""

    source: int
    asks: Rows
    ask_times: Ints
    marks: Rows
    mark_times: Ints

    def before(self, bound: int) -> tuple["_Ops", "_Ops"]:
        """What lies before ``bound`` (ms), and the rest."""
        now, later = int(self.ask_times.searchsorted(bound)), int(self.mark_times.searchsorted(bound))
        return (
            _Ops(self.source, self.asks[:now], self.ask_times[:now], self.marks[:later], self.mark_times[:later]),
            _Ops(self.source, self.asks[now:], self.ask_times[now:], self.marks[later:], self.mark_times[later:]),
        )

    def __len__(self) -> int:
        return len(self.asks) + len(self.marks)


@dataclass(eq=False)
class _Source:
    """What one partition has sent and is not taken yet, and up to where it has come.

    It is not idle before it has said so, nor when that was long ago: then the others wait.
    """

    waiting: deque[_Ops] = field(default_factory=deque)
    watermark: int = 0  # ms
    idle_until: int = 0  # ms
    orders: int = 0  # next offsets: what is below has come before
    labels: int = 0
    latest: int = 0  # ms, the time that its latest ask or mark is merged by
    wanted: Ids = ()


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Asks [n] of several ``sources`` [n] with their ``turns`` [n], and marks, in the order of processing.

    ``count`` is of all turns, ``late`` of those that came after something later had gone.
    """

    asks: Rows
    sources: Ints
    turns: Ints
    marks: list[Mark]
    count: int
    late: int


class Merger:
    """One owner's.

    Args:
        partitions: that ask.
    """

    def __init__(self, partitions: int) -> None:
        self._sources = [_Source() for _ in range(partitions)]
        self._passed = 0

    @property
    def wanted(self) -> dict[int, Ids]:
        """The velocities that each partition wants to be told, of those that want any."""
        return {number: source.wanted for number, source in enumerate(self._sources) if source.wanted}

    @property
    def waiting(self) -> int:
        """Pieces that wait for a partition that is behind."""
        return sum(len(source.waiting) for source in self._sources)

    def add(self, batch: AskBatch, sent_at: int) -> None:
        """Let what is new in a partition's next message wait; it was written at ``sent_at``, ms since the epoch."""
        source = self._sources[batch.source]
        ops = _new_ops(source, batch)
        if len(ops):
            source.waiting.append(ops)
        source.watermark = max(source.watermark, batch.watermark)
        source.idle_until = sent_at + IDLE_FOR_MS if batch.idle else 0
        source.wanted = batch.wanted
        source.orders, source.labels = max(source.orders, batch.orders), max(source.labels, batch.labels)

    def take(self, now_ms: int) -> Merged | None:
        """What every partition has come past, in order of event time; None if there is nothing."""
        behind = [source.watermark for source in self._sources if source.idle_until < now_ms]
        bound = min(behind, default=np.iinfo(np.int64).max)
        ops = [part for source in self._sources for part in _taken(source, int(bound))]
        if not ops:
            return None
        merged = _merged(ops, self._passed)
        self._passed = max(self._passed, *(_last(part) for part in ops))
        return merged


def _new_ops(source: _Source, batch: AskBatch) -> _Ops:
    asks = batch.asks[batch.asks["offset"] >= source.orders]
    next_offset = np.where(batch.marks["follows"] == 1, source.orders, source.labels)
    marks = batch.marks[batch.marks["offset"] >= next_offset]
    before = source.latest
    ask_times, mark_times = _times(asks, before), _times(marks, before)
    ops = _Ops(batch.source, asks, ask_times, marks, mark_times)
    if len(ops):
        source.latest = _last(ops)
    return ops


def _times(rows: Rows, before: int) -> Ints:
    return np.asarray(np.maximum(np.maximum.accumulate(rows["ts"]), before) if len(rows) else np.zeros(0, np.int64))


def _last(ops: _Ops) -> int:
    return max(int(times[-1]) for times in (ops.ask_times, ops.mark_times) if len(times))


def _taken(source: _Source, bound: int) -> list[_Ops]:
    """What of ``source`` lies before ``bound``; what does not goes on waiting."""
    found = []
    while source.waiting:
        now, rest = source.waiting.popleft().before(bound)
        if len(now):
            found.append(now)
        if len(rest):
            source.waiting.appendleft(rest)
            break
    return found


def _merged(ops: Sequence[_Ops], passed: int) -> Merged:
    asks = np.concatenate([part.asks for part in ops] or [np.zeros(0, ASK)])
    marks = np.concatenate([part.marks for part in ops] or [np.zeros(0, MARK)])
    times = np.concatenate([*(part.ask_times for part in ops), *(part.mark_times for part in ops)])
    numbers = [part.source for part in ops]
    sources = np.repeat([*numbers, *numbers], [len(part.asks) for part in ops] + [len(part.marks) for part in ops])
    # At one time what turned out goes first; but what waited for an order goes right after it.
    rank = np.concatenate((np.full(len(asks), 1), np.where(marks["follows"] == 1, 2, 0)))
    offsets = np.concatenate((asks["offset"], marks["offset"]))
    order = np.lexsort((rank == 2, offsets, sources, np.minimum(rank, 1), times))
    turns = np.empty(len(order), np.int64)
    turns[order] = np.arange(len(order))
    in_turn = np.argsort(turns[: len(asks)])
    found = [
        Mark(turn, int(row["kind"]), int(row["key"]), int(row["order"]), int(row["order_ts"]), int(row["change"]))
        for turn, row in zip(turns[len(asks) :].tolist(), marks, strict=True)
    ]
    late = int((times < passed).sum())
    return Merged(asks[in_turn], sources[: len(asks)][in_turn], turns[: len(asks)][in_turn], found, len(order), late)
