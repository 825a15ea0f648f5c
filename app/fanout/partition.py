"""One partition's orders and labels on their way: aligned, asked about, and waiting for answers in their turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.events.align import Aligned, Aligner
from app.events.decode import Decoder
from app.events.records import Columns, Records, gather
from app.events.stream_time import StreamTime
from app.fanout.asker import Piece
from app.fanout.joiner import Joiner
from app.fanout.messages import AnswerBatch
from app.kafka.fetched import Fetched
from app.velocity.records import Ints, asks_of, labels_of
from app.velocity.stream import TURNS
from schemas.events import Label, Order
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

    def piece(self, lag: Lag, now: float, limit: int) -> Piece | None:
        """At most ``limit`` records to ask about, or that there are no more, which is said again and again."""
        aligned = self._aligner.take(lag, now, limit)
        is_last = self.is_live(lag)
        said_at = self._idle_said_at
        if aligned is None and not (is_last and (said_at is None or now - said_at >= SAY_IDLE_EVERY_S)):
            return None
        self._idle_said_at = now if is_last else None
        return self._piece(aligned, is_last)

    def receive(self, answers: Sequence[bytes]) -> None:
        """Take answers in.

        Raises:
            BadMessage: of another layout, or damaged.
        """
        for value in answers:
            self.joiner.receive(AnswerBatch.decoded(value))

    def _piece(self, aligned: Aligned | None, is_last: bool) -> Piece:
        records = gather([aligned] if aligned else [], TURNS)
        orders, labels = records.topics[ORDERS], records.topics[LABELS]
        self._next |= aligned.next_offsets if aligned else {}
        believed = self._believed(records)
        named = np.flatnonzero([isinstance(label, Label) and bool(label.order_id) for label in labels.events])
        return Piece(
            partition=self.number,
            orders=asks_of(_orders(orders), orders.users, orders.position, orders.ts, believed[orders.position]),
            order_offsets=orders.offsets,
            labels=labels_of(
                _labels(labels), labels.users, labels.position, np.minimum(labels.ts, believed[labels.position])
            ),
            label_offsets=labels.offsets[named],
            next_orders=self._next[ORDERS],
            next_labels=self._next[LABELS],
            watermark=self._time.watermark if self._time.confirmed else 0,
            idle=is_last,
        )

    def _believed(self, records: Records) -> Ints:
        """How far event time had come at each record [n]: one that is dated far ahead does not move it."""
        ts = np.zeros(len(records), np.int64)
        for columns in records.topics.values():
            ts[columns.position] = columns.ts
        believed = self._time.advance(ts, lambda: records.users(0, len(records)))
        return np.asarray(np.minimum.accumulate(believed[::-1])[::-1])  # the first may be found to be wrong


def _orders(columns: Columns) -> list[Order]:
    return [event for event in columns.events if isinstance(event, Order)]


def _labels(columns: Columns) -> list[Label]:
    return [event for event in columns.events if isinstance(event, Label)]
