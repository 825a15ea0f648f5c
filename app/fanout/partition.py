"""One partition's orders and labels on their way: aligned, asked about, and waiting for answers in their turns."""

from collections.abc import Callable, Sequence

import numpy as np

from app.events.align import Aligned, Aligner
from app.events.decode import Decoder
from app.events.records import Columns, gather
from app.fanout.asker import Piece
from app.fanout.joiner import Joiner
from app.fanout.messages import AnswerBatch
from app.kafka.fetched import Fetched
from app.velocity.records import asks_of, labels_of
from app.velocity.stream import TURNS
from schemas.events import Label, Order
from schemas.topics import LABELS, ORDERS

_SAY_IDLE_EVERY_S = 0.1
_MAX_VALUE_BYTES = 1 << 20

Lag = Callable[[str], int | None]
"""Records of an input topic of the partition that the broker has and this has not; None while that is unknown."""


class FanOutPartition:
    """What one partition's orders and labels go through; pure: time and lag come in.

    Args:
        number: of the partition.
        joiner: where its orders meet their answers.
        max_idle: seconds to wait for labels or orders that have none left, as the step's alignment does.
    """

    def __init__(self, number: int, joiner: Joiner, max_idle: float) -> None:
        self.number = number
        self.joiner = joiner
        self._aligner = Aligner(number, TURNS, max_idle)
        self._decoder = Decoder(_MAX_VALUE_BYTES, lambda user, partition: True)
        self._next = dict.fromkeys(TURNS, 0)
        self._watermark = 0
        self._idle_said_at: float | None = None

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
        if aligned is None and not (is_last and (said_at is None or now - said_at >= _SAY_IDLE_EVERY_S)):
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
        self._watermark = max([self._watermark, *orders.ts.tolist(), *labels.ts.tolist()])
        named = np.flatnonzero([isinstance(label, Label) and bool(label.order_id) for label in labels.events])
        return Piece(
            partition=self.number,
            orders=asks_of(_orders(orders), orders.users, orders.position, orders.ts, orders.ts),
            order_offsets=orders.offsets,
            labels=labels_of(_labels(labels), labels.users, labels.position, labels.ts),
            label_offsets=labels.offsets[named],
            next_orders=self._next[ORDERS],
            next_labels=self._next[LABELS],
            watermark=self._watermark,
            idle=is_last,
        )


def _orders(columns: Columns) -> list[Order]:
    return [event for event in columns.events if isinstance(event, Order)]


def _labels(columns: Columns) -> list[Label]:
    return [event for event in columns.events if isinstance(event, Label)]
