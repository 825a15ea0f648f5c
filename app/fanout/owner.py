"""The partition of entities: it merges what all partitions ask by event time, and answers."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.fanout.messages import ASK, MARK, AnswerBatch, AskBatch, Rows
from app.velocity.definitions import Velocity
from app.velocity.entities import ENTITIES, USER
from app.velocity.kind import EntityKind
from app.velocity.records import Asks, Ints, Mark
from app.velocity.windows import Floats

IDLE_FOR_MS = 500
"""How long a partition that has read its input to the end is taken to be there still, without saying so again."""


@dataclass(eq=False)
class _Source:
    """What one partition has sent and is not taken yet, and up to where it has come.

    It is not idle before it has said so, nor when that was long ago: then the others wait.
    """

    number: int
    waiting: deque[AskBatch] = field(default_factory=deque)
    watermark: int = 0
    idle_until: int = 0  # ms
    orders: int = 0  # next offsets: what is below was taken before
    labels: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Ops:
    """Asks and marks of one source in its order, with the times that they are merged by."""

    source: int
    asks: Rows
    ask_times: Ints
    marks: Rows
    mark_times: Ints


class Owner:
    """One partition's entities.

    Args:
        partition: its number.
        partitions: of the topics; each of them asks.
        velocities: of all kinds; those of users are not computed here.
    """

    def __init__(self, partition: int, partitions: int, velocities: Sequence[Velocity]) -> None:
        self.partition = partition
        self.late = 0
        """What came after something later had been taken, from a partition that had been idle."""
        self._sources = [_Source(number) for number in range(partitions)]
        self._width = len(velocities)
        places = {name: [i for i, each in enumerate(velocities) if each.entity == name] for name in ENTITIES}
        self._places = [np.array(own, np.int64) for own in places.values()]
        self.kinds = [EntityKind(kind, [velocities[i] for i in places[name]]) for kind, name in enumerate(ENTITIES)]
        self._passed = 0

    def add(self, batch: AskBatch, sent_at: int) -> None:
        """Let a partition's next message wait for its turn; it was written at ``sent_at``, ms since the epoch."""
        source = self._sources[batch.source]
        source.watermark = max(source.watermark, batch.watermark)
        source.idle_until = sent_at + IDLE_FOR_MS if batch.idle else 0
        source.waiting.append(batch)

    @property
    def waiting(self) -> int:
        """Messages that wait for a partition that is behind."""
        return sum(len(source.waiting) for source in self._sources)

    def take(self, now_ms: int) -> dict[int, AnswerBatch]:
        """Take in what every partition has come past, in order of event time; the answers by partition that asked."""
        behind = [source.watermark for source in self._sources if source.idle_until < now_ms]
        bound = min(behind, default=np.iinfo(np.int64).max)
        ops = [part for source in self._sources for part in _taken(source, int(bound))]
        if not ops:
            return {}
        return self._answered(_merged(ops))

    def _answered(self, merged: "_Merged") -> dict[int, AnswerBatch]:
        self.late += int((merged.times < self._passed).sum())
        self._passed = max(self._passed, int(merged.times.max(initial=0)))
        values = np.full((len(merged.asks), self._width), np.nan)
        orders = _orders(merged)
        for kind in range(USER + 1, len(ENTITIES)):
            rows = np.flatnonzero(merged.asks["kinds"] >> kind & 1)
            marks = [mark for mark in merged.marks if mark.kind == kind]
            if len(rows) or marks:
                values[np.ix_(rows, self._places[kind])] = self.kinds[kind].apply(orders.where(rows), marks)
        return {
            source: self._batch(merged, np.flatnonzero(merged.sources == source), values)
            for source in np.unique(merged.sources).tolist()
        }

    def _batch(self, merged: "_Merged", rows: Ints, values: Floats) -> AnswerBatch:
        asks = merged.asks[rows]
        return AnswerBatch(self.partition, asks["offset"].copy(), asks["kinds"].copy(), values[rows])


@dataclass(frozen=True, slots=True, eq=False)
class _Merged:
    """Asks [n] of several ``sources`` [n] with their ``turns`` [n], and marks, in the order of processing."""

    asks: Rows
    sources: Ints
    turns: Ints
    marks: list[Mark]
    times: Ints


def _taken(source: _Source, bound: int) -> Iterator[_Ops]:
    """What of ``source`` lies before ``bound``; what does not goes on waiting."""
    while source.waiting:
        batch = source.waiting.popleft()
        asks = batch.asks[batch.asks["offset"] >= source.orders]
        marks = batch.marks[_is_new(batch.marks, source)]
        ask_times, mark_times = _times(asks), _times(marks)
        now, later = int(ask_times.searchsorted(bound)), int(mark_times.searchsorted(bound))
        if now or later:
            yield _Ops(source.number, asks[:now], ask_times[:now], marks[:later], mark_times[:later])
        if now < len(asks) or later < len(marks):
            rest = AskBatch(
                source.number, batch.watermark, batch.orders, batch.labels, batch.idle, asks[now:], marks[later:]
            )
            source.waiting.appendleft(rest)
            return
        source.orders, source.labels = max(source.orders, batch.orders), max(source.labels, batch.labels)


def _is_new(marks: Rows, source: _Source) -> Ints:
    next_offset = np.where(marks["follows"] == 1, source.orders, source.labels)
    return np.flatnonzero(marks["offset"] >= next_offset)


def _times(rows: Rows) -> Ints:
    """By what rows of one partition are merged: their times, never falling."""
    return np.asarray(np.maximum.accumulate(rows["ts"]) if len(rows) else np.zeros(0, np.int64))


def _merged(ops: Sequence[_Ops]) -> _Merged:
    asks = np.concatenate([part.asks for part in ops] or [np.zeros(0, ASK)])
    marks = np.concatenate([part.marks for part in ops] or [np.zeros(0, MARK)])
    times = np.concatenate([*(part.ask_times for part in ops), *(part.mark_times for part in ops)])
    numbers = [part.source for part in ops]
    counts = [len(part.asks) for part in ops] + [len(part.marks) for part in ops]
    sources = np.repeat([*numbers, *numbers], counts)
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
    return _Merged(asks[in_turn], sources[: len(asks)][in_turn], turns[: len(asks)][in_turn], found, times)


def _orders(merged: _Merged) -> Asks:
    asks = merged.asks
    return Asks(
        turn=merged.turns,
        ts=asks["ts"].copy(),
        believed=asks["believed"].copy(),
        amount=asks["amount"].copy(),
        order=asks["order"].copy(),
        entities=asks["entities"].copy(),
        unusual=asks["unusual"].astype(np.int64),
    )
