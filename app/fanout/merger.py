"""What all partitions ask of owners, merged by event time."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.fanout.messages import ASK, MARK, TAKES_OVER, AskBatch, Ids, Rows, rows_joined
from app.velocity.records import Ints, Mark

_NUMBERS = ("watermark", "orders", "labels", "latest", "epoch")

_EVER = 2**63 - 1
_NO_TIMES = np.zeros(0, np.int64)

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

    @property
    def last(self) -> int:
        """The latest of the times; there must be one."""
        return max(int(times[-1]) for times in (self.ask_times, self.mark_times) if len(times))

    def before(self, bound: int) -> tuple["_Ops", "_Ops"]:
        """What lies before ``bound`` (ms), and the rest."""
        now, later = int(self.ask_times.searchsorted(bound)), int(self.mark_times.searchsorted(bound))
        return (
            _Ops(self.source, self.asks[:now], self.ask_times[:now], self.marks[:later], self.mark_times[:later]),
            _Ops(self.source, self.asks[now:], self.ask_times[now:], self.marks[later:], self.mark_times[later:]),
        )

    def capped(self, bound: int) -> "_Ops":
        """The same, merged by ``bound`` (ms) at the latest."""
        times = np.minimum(self.ask_times, bound), np.minimum(self.mark_times, bound)
        return replace(self, ask_times=times[0], mark_times=times[1])

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
    epoch: int = 0
    wanted: Ids = ()


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What goes at one owner, by source, where what is of ``passed`` (ms) had gone before."""

    ops: list[_Ops]
    passed: int


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Asks [n] of several ``sources`` [n] to several ``owners`` [n] with their ``turns`` [n], and marks, in the order
    of processing: one owner after the other.

    ``late`` counts those that came after something later had gone.
    """

    asks: Rows
    owners: Ints
    sources: Ints
    turns: Ints
    marks: list[Mark]
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

    @property
    def passed(self) -> int:
        """The latest event time that was taken, in ms."""
        return self._passed

    def epoch(self, source: int) -> int:
        """Of the latest worker that a partition is known to have."""
        return self._sources[source].epoch

    def stored(self) -> dict[str, NDArray[Any]]:
        """All of it as columns; whether a partition is idle is not remembered."""
        waiting = [_joined_ops(number, source.waiting) for number, source in enumerate(self._sources)]
        found = {name: np.array([getattr(each, name) for each in self._sources], np.int64) for name in _NUMBERS}
        return found | {
            "passed": np.array(self._passed),
            "wanted": np.array([each for source in self._sources for each in source.wanted], np.uint32),
            "wanted_of": np.repeat(np.arange(len(waiting)), [len(source.wanted) for source in self._sources]),
            "asks": np.concatenate([ops.asks for ops in waiting]),
            "ask_times": np.concatenate([ops.ask_times for ops in waiting]),
            "asks_of": np.repeat(np.arange(len(waiting)), [len(ops.asks) for ops in waiting]),
            "marks": np.concatenate([ops.marks for ops in waiting]),
            "mark_times": np.concatenate([ops.mark_times for ops in waiting]),
            "marks_of": np.repeat(np.arange(len(waiting)), [len(ops.marks) for ops in waiting]),
        }

    @classmethod
    def restored(cls, stored: Mapping[str, NDArray[Any]]) -> "Merger":
        """What `stored` told."""
        merger = cls(len(stored["epoch"]))
        merger._passed = int(stored["passed"])
        for number, source in enumerate(merger._sources):
            for name in _NUMBERS:
                setattr(source, name, int(stored[name][number]))
            source.wanted = tuple(stored["wanted"][stored["wanted_of"] == number].tolist())
            asks, marks = stored["asks_of"] == number, stored["marks_of"] == number
            columns = stored["asks"][asks], stored["ask_times"][asks], stored["marks"][marks]
            ops = _Ops(number, *columns, stored["mark_times"][marks])
            if len(ops):
                source.waiting.append(ops)
        return merger

    def add(self, batch: AskBatch, sent_at: int, offset: int = 0) -> bool:
        """Let what is new in a partition's next message wait.

        Args:
            batch: the message.
            sent_at: when it was written, ms since the epoch.
            offset: of its record, which is the epoch of who takes the partition over by it.

        Returns:
            Whether the partition's latest worker wrote it; else it is left out.
        """
        source = self._sources[batch.source]
        epoch = offset if batch.epoch == TAKES_OVER else batch.epoch
        if epoch < source.epoch:
            return False
        source.epoch = epoch
        is_new = batch.orders > source.orders or batch.labels > source.labels
        if is_new and 0 < batch.watermark < source.latest:
            _step_back(source, batch)
        if batch.rows and len(ops := _new_ops(source, batch)):
            source.waiting.append(ops)
        source.watermark = max(source.watermark, batch.watermark)
        source.idle_until = sent_at + IDLE_FOR_MS if batch.idle else 0
        source.wanted = source.wanted if batch.is_takeover else batch.wanted
        source.orders, source.labels = max(source.orders, batch.orders), max(source.labels, batch.labels)
        return True

    def take(self, now_ms: int) -> Taken | None:
        """What every partition has come past; None if there is nothing."""
        if not self.waiting:
            return None
        behind = [source.watermark for source in self._sources if source.idle_until < now_ms]
        bound = min(behind, default=_EVER)
        ops = [part for source in self._sources if source.waiting for part in _taken(source, bound)]
        if not ops:
            return None
        taken = Taken(ops, self._passed)
        self._passed = max(self._passed, *(part.last for part in ops))
        return taken


def _joined_ops(source: int, parts: Sequence[_Ops] | deque[_Ops]) -> _Ops:
    none = np.zeros(0, np.int64)
    return _Ops(
        source,
        rows_joined([part.asks for part in parts], ASK),
        np.concatenate([none, *(part.ask_times for part in parts)]),
        rows_joined([part.marks for part in parts], MARK),
        np.concatenate([none, *(part.mark_times for part in parts)]),
    )


def alone(batch: AskBatch) -> Merged:
    """A message of one partition by itself, in the order in which it was asked."""
    return merged({batch.source: Taken([_timed(batch, batch.asks, batch.marks, 0)], 0)})


def _new_ops(source: _Source, batch: AskBatch) -> _Ops:
    asks, marks = batch.asks, batch.marks
    if len(asks) and asks["offset"][0] < source.orders:
        asks = asks[asks["offset"] >= source.orders]
    if len(marks):
        marks = marks[marks["offset"] >= np.where(marks["follows"] == 1, source.orders, source.labels)]
    ops = _timed(batch, asks, marks, source.latest)
    if len(ops):
        source.latest = ops.last
    return ops


def _timed(batch: AskBatch, asks: Rows, marks: Rows, before: int) -> _Ops:
    """What is merged by its time as far as it was believed; that never falls, nor passes the message's watermark."""
    most = batch.watermark or _EVER
    times = _times(np.minimum(asks["ts"], asks["believed"]), before, most)
    return _Ops(batch.source, asks, times, marks, _times(marks["ts"], before, most) if len(marks) else _NO_TIMES)


def _times(ts: Ints, before: int, most: int) -> Ints:
    return np.minimum(np.maximum(np.maximum.accumulate(ts), before), most)


def _step_back(source: _Source, batch: AskBatch) -> None:
    """What the source sent before had a wrong clock, as this message shows: it goes first, and holds nobody up."""
    asks = np.minimum(batch.asks["ts"], batch.asks["believed"])
    first = min([batch.watermark, *asks.tolist(), *batch.marks["ts"].tolist()])
    source.watermark, source.latest = batch.watermark, min(source.latest, first)
    source.waiting = deque(ops.capped(first) for ops in source.waiting)


def _taken(source: _Source, bound: int) -> list[_Ops]:
    """What of ``source`` lies before ``bound``; what does not goes on waiting."""
    found = []
    while source.waiting:
        ops = source.waiting.popleft()
        if ops.last < bound:
            found.append(ops)
            continue
        now, rest = ops.before(bound)
        source.waiting.appendleft(rest)
        return [*found, now] if len(now) else found
    return found


def merged(taken: Mapping[int, Taken]) -> Merged:
    """What goes at owners, in order of event time at each."""
    parts = [(owner, ops) for owner, found in taken.items() for ops in found.ops]
    asks = rows_joined([ops.asks for _, ops in parts], ASK)
    marks = rows_joined([ops.marks for _, ops in parts], MARK)
    counts = [len(ops.asks) for _, ops in parts] + [len(ops.marks) for _, ops in parts]
    owners, sources, passed = np.repeat(
        np.array([(owner, ops.source, taken[owner].passed) for owner, ops in parts] * 2, np.int64).T, counts, axis=1
    )
    times = np.concatenate([*(ops.ask_times for _, ops in parts), *(ops.mark_times for _, ops in parts)])
    # At one time what turned out goes first; but what waited for an order goes right after it.
    rank = np.concatenate((np.full(len(asks), 1), np.where(marks["follows"] == 1, 2, 0)))
    offsets = np.concatenate((asks["offset"], marks["offset"]))
    order = np.lexsort((rank == 2, offsets, sources, np.minimum(rank, 1), times, owners))
    turns = np.empty(len(order), np.int64)
    turns[order] = np.arange(len(order))
    in_turn = order[order < len(asks)]
    found = [
        Mark(turn, int(row["kind"]), int(row["key"]), int(row["order"]), int(row["order_ts"]), int(row["change"]))
        for turn, row in zip(turns[len(asks) :].tolist(), marks, strict=True)
    ]
    late = int((times < passed).sum())
    return Merged(asks[in_turn], owners[in_turn], sources[in_turn], turns[in_turn], found, late)
