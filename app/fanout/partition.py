"""One partition's orders and labels on their way: aligned, asked about, and waiting for answers in their turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from app.events.align import Aligned, Aligner
from app.events.decode import Decoder
from app.events.records import Columns, Records, gather
from app.events.stream_time import StreamTime
from app.fanout.asker import Piece
from app.fanout.joiner import Joiner
from app.kafka.fetched import Fetched
from app.velocity.records import Ints, asks_of, labels_of
from app.velocity.stream import TURNS
from schemas.events import InputEvent, Label, Order
from schemas.topics import LABELS, ORDERS

SAY_IDLE_EVERY_S = 0.1
MAX_VALUE_BYTES = 1 << 20
"""Of an input value: what is larger is a dead letter of the pipeline, and counts nowhere."""

Lag = Callable[[str], int | None]
"""Records of an input topic of the partition that the broker has and this has not; None while that is unknown."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a partition goes on: the next offsets of its inputs, and how far event time had come (ms)."""

    orders: int = 0
    labels: int = 0
    watermark: int = 0


_BEGINNING = Resume()


class FanOutPartition:
    """What one partition's orders and labels go through; pure: time and lag come in.

    Args:
        number: of the partition.
        joiner: where its orders meet their answers.
        max_idle: seconds to wait for labels or orders that have none left, as the step's alignment does.
        resume: where it goes on.
        value_bytes: see `MAX_VALUE_BYTES`.
    """

    def __init__(
        self,
        number: int,
        joiner: Joiner,
        max_idle: float,
        resume: Resume = _BEGINNING,
        value_bytes: int = MAX_VALUE_BYTES,
    ) -> None:
        self.number = number
        self.joiner = joiner
        self._aligner = Aligner(number, TURNS, max_idle)
        self._decoder = Decoder(value_bytes, lambda user, partition: True)
        self._next = {ORDERS: resume.orders, LABELS: resume.labels}
        self._time = StreamTime(resume.watermark, confirmed=resume.watermark > 0)
        self._idle_said_at: float | None = None

    @property
    def resume(self) -> Resume:
        """Where another would go on after what was asked."""
        return Resume(self._next[ORDERS], self._next[LABELS], self._time.watermark)

    @property
    def buffered(self) -> int:
        """Orders and labels that wait for alignment."""
        return self._aligner.records

    def is_live(self, lag: Lag) -> bool:
        """Whether orders and labels have been read to their ends."""
        return self._aligner.records == 0 and all(lag(topic) == 0 for topic in TURNS)

    def feed(self, fetched: Fetched) -> None:
        """Take in what was fetched of orders or labels."""
        self._aligner.add(self._decoder.decode(fetched))

    def take(self, lag: Lag, now: float, limit: int) -> "Taken | None":
        """At most ``limit`` records to ask about, or that there are no more, which is said again and again."""
        aligned = self._aligner.take(lag, now, limit)
        is_last = self.is_live(lag)
        said_at = self._idle_said_at
        if aligned is None and not (is_last and (said_at is None or now - said_at >= SAY_IDLE_EVERY_S)):
            return None
        self._idle_said_at = now if is_last else None
        self._next |= aligned.next_offsets if aligned else {}
        return Taken(self, aligned or Aligned(self.number, [], 0, {}, False), is_last)

    def believed(self, ts: Ints, users: Callable[[], Sequence[str]]) -> Ints:
        """How far event time had come at each record [n]: one that is dated far ahead does not move it."""
        believed = self._time.advance(ts, users)
        return np.asarray(np.minimum.accumulate(believed[::-1])[::-1])  # the first may be found to be wrong

    @property
    def watermark(self) -> int:
        """Up to where all has been taken (ms); 0 where that is not known."""
        return self._time.watermark if self._time.confirmed else 0


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What of a partition is asked about next; with ``is_last`` there is no more of it."""

    part: FanOutPartition
    aligned: Aligned
    is_last: bool


def pieces_of(taken: Sequence[Taken]) -> list[Piece]:
    """What is asked about of each partition, with turns that rise from one to the next."""
    records = gather([each.aligned for each in taken], TURNS)
    orders, labels = records.topics[ORDERS], records.topics[LABELS]
    bounds = np.cumsum([0, *(each.aligned.records for each in taken)])
    believed = _believed(taken, records, bounds.tolist())
    asks = asks_of(_orders(orders), orders.users, orders.position, orders.ts, believed[orders.position])
    named = np.array([row for row, label in enumerate(labels.events) if _names_an_order(label)], np.int64)
    known = labels_of(_labels(labels), labels.users, labels.position, np.minimum(labels.ts, believed[labels.position]))
    parts = zip(
        taken,
        pairwise(asks.turn.searchsorted(bounds).tolist()),
        pairwise(known.turn.searchsorted(bounds).tolist()),
        strict=True,
    )
    return [
        Piece(
            partition=each.part.number,
            orders=asks.where(of_orders := slice(*order_bound)),
            order_offsets=orders.offsets[of_orders],
            labels=known.where(of_labels := slice(*label_bound)),
            label_offsets=labels.offsets[named[of_labels]],
            next_orders=each.part.resume.orders,
            next_labels=each.part.resume.labels,
            watermark=each.part.watermark,
            idle=each.is_last,
        )
        for each, order_bound, label_bound in parts
    ]


def _believed(taken: Sequence[Taken], records: Records, bounds: Sequence[int]) -> Ints:
    """See `FanOutPartition.believed`, of all records by their positions."""
    ts = np.zeros(len(records), np.int64)
    for columns in records.topics.values():
        ts[columns.position] = columns.ts
    parts = [
        each.part.believed(ts[start:stop], partial(records.users, start, stop))
        for each, (start, stop) in zip(taken, pairwise(bounds), strict=True)
    ]
    return np.concatenate(parts)


def _names_an_order(label: InputEvent) -> bool:
    return isinstance(label, Label) and bool(label.order_id)


def _orders(columns: Columns) -> list[Order]:
    return [event for event in columns.events if isinstance(event, Order)]


def _labels(columns: Columns) -> list[Label]:
    return [event for event in columns.events if isinstance(event, Label)]
