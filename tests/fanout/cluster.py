"""Workers of a fan-out without a broker: their topics are lists, and a worker can vanish and come back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.fanout import snapshot
from app.fanout.joiner import Joiners
from app.fanout.messages import AskBatch, Asked, come_back
from app.fanout.parts import FanOutParts, Message
from app.fanout.recovery import Recovering, taken_down
from app.kafka.fetched import Fetched
from app.velocity.definitions import Velocity
from schemas.topics import LABELS, ORDERS, VELOCITY_ASKS
from tests.velocity.naive import Event

FIELDS = {"device": "device_id", "card": "card_hash", "merchant": "merchant_id"}

Place = tuple[int, int]
"""Partition and offset of an order."""
Values = dict[Place, NDArray[np.float64]]


def value_of(number: int, event: Event) -> bytes:
    """An event's record."""
    common = {"event_id": event.id or f"e{number}", "ts": event.ts, "user_id": event.user, "order_id": event.order}
    if event.bad is not None:
        return msgspec.json.encode(common | {"label": "fraud" if event.bad else "legitimate"})
    order = common | {"type": "order_placed", "value": event.amount / 10_000, "currency": "EUR"}
    return msgspec.json.encode(order | {FIELDS[kind]: name for kind, name in event.names.items()})


@dataclass(eq=False)
class Topics:
    """What was written: inputs and asks by partition, and the time of the log in ms."""

    partitions: int
    inputs: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    asks: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    answers: dict[int, list[bytes]] = field(default_factory=dict)
    now_ms: int = 1_000_000

    def put(self, event: Event) -> Place:
        """An event comes in."""
        topic, partition = ORDERS if event.bad is None else LABELS, sum(event.user.encode()) % self.partitions
        log = self.inputs.setdefault((topic, partition), [])
        log.append(value_of(sum(map(len, self.inputs.values())), event))
        return partition, len(log) - 1

    def write(self, messages: Sequence[Message]) -> None:
        """Records come into the internal topics."""
        for message in messages:
            if message.topic == VELOCITY_ASKS:
                self.asks.setdefault(message.partition, []).append((self.now_ms, message.value))
            else:
                self.answers.setdefault(message.partition, []).append(message.value)


class Worker:
    """A process with some partitions, which it takes over as it begins."""

    def __init__(
        self, topics: Topics, velocities: Sequence[Velocity], mine: Collection[int], folder: Path | None = None
    ) -> None:
        self.topics, self.joiners = topics, Joiners(deadline=None)
        self.parts = FanOutParts((), topics.partitions, velocities, self.joiners, max_idle=0)
        self.recovered_rows = 0
        self._velocities = tuple(velocities)
        self._folder = folder
        self._read: dict[int, int] = {}
        self._fed: dict[tuple[str, int], int] = {}
        for number in mine:
            self._take_over(number)

    def feed(self, limits: Mapping[tuple[str, int], int] | None = None, confirming: bool = True) -> None:
        """Ask about the inputs up to these offsets, by topic and partition; by default about all.

        Unless ``confirming`` it does not hear that anything has arrived.
        """
        for (topic, number), log in self.topics.inputs.items():
            stop = len(log) if limits is None else limits.get((topic, number), 0)
            start = self._fed.get((topic, number), 0)
            if number in self.parts.partitions and stop > start:
                self.parts.partitions[number].feed(_fetched(topic, number, start, log[start:stop]))
                self._fed[topic, number] = stop
        while messages := self.parts.asks(self._lag, 0):
            self.topics.write([*messages, *self.parts.records()])
            for number in self.parts.partitions if confirming else ():
                self.parts.confirmed[number] = len(self.topics.asks[number])

    def answer(self) -> None:
        """Read what was asked of the partitions here, and answer."""
        asks: dict[int, list[tuple[int, AskBatch]]] = {}
        for number in self.parts.partitions:
            messages = self.topics.asks.get(number, [])[self._read[number] :]
            self._read[number] += len(messages)
            decoded = [(sent_at, AskBatch.decoded(value)) for sent_at, value in messages]
            asks[number] = [(sent_at, self.parts.owners.part(number, batch)) for sent_at, batch in decoded]
        self.topics.write(self.parts.answers(asks, self.topics.now_ms))

    def hear(self, places: Collection[Place]) -> Values:
        """The values of orders of the partitions here, by the answers of all time."""
        for number in self.parts.partitions:
            for value in self.topics.answers.get(number, []):
                found = come_back(value)
                if isinstance(found, Asked):
                    self.joiners.of(number).expect(found)
                else:
                    self.joiners.of(number).receive(found)
        mine = [place for place in places if place[0] in self.parts.partitions]
        return {place: self._joined(*place) for place in mine}

    def _joined(self, number: int, offset: int) -> NDArray[np.float64]:
        joined = self.joiners.of(number).take(np.array([offset]), self._velocities)
        assert not joined.partial.any(), (number, offset)
        return np.asarray(joined.values[0])

    def save(self) -> None:
        """Put snapshots on disk."""
        assert self._folder is not None
        for number in self.parts.partitions:
            taken = taken_down(self.parts, number, self._read[number])
            snapshot.write(snapshot.path(self._folder, number), taken)

    def _take_over(self, number: int) -> None:
        log = self.topics.asks.setdefault(number, [])
        epoch, end_ms = len(log), log[-1][0] if log else 0
        log.append((self.topics.now_ms, AskBatch.takeover(number).encoded()))
        for owner in range(self.topics.partitions):
            if owner != number:
                told = self.topics.asks.setdefault(owner, [])
                told.append((self.topics.now_ms, AskBatch.takeover(number, epoch).encoded()))
        stored = snapshot.read(snapshot.path(self._folder, number), 0, epoch) if self._folder else None
        recovering = Recovering(self.parts, number, stored, end_ms)
        rest = [
            (offset, sent_at, AskBatch.decoded(value))
            for offset, (sent_at, value) in enumerate(log)
            if recovering.offset <= offset <= epoch
        ]
        for start in range(0, len(rest), 7):
            recovering.add(rest[start : start + 7])
        self.recovered_rows += recovering.rows
        self.topics.write([*recovering.finish(epoch), *recovering.answers])
        self._read[number] = epoch + 1
        self._fed[ORDERS, number], self._fed[LABELS, number] = recovering.resume.orders, recovering.resume.labels

    def _lag(self, number: int, topic: str) -> int:
        return len(self.topics.inputs.get((topic, number), [])) - self._fed.get((topic, number), 0)


def _fetched(topic: str, partition: int, start: int, values: list[bytes]) -> Fetched:
    stop = start + len(values)
    return Fetched(
        topic=topic,
        partition=partition,
        first_offset=start,
        next_offset=stop,
        end_offset=stop,
        generation=0,
        size=0,
        offsets=range(start, stop),
        timestamps=[0] * len(values),
        keys=[None] * len(values),
        values=list(values),
        headers=None,
    )
