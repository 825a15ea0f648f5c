"""What is on its way to the broker, and how far the asks of a partition have reached all owners."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from app.fanout.clients import Topics
from app.fanout.messages import packed
from app.fanout.parts import Message
from schemas.topics import VELOCITY_ASKS

_RECORD_BYTES = 1 << 20

Sent = asyncio.Future[RecordMetadata]


@dataclass(eq=False)
class _Group:
    """What a partition asked at once: the whole of it, in its own topic partition, and the other messages."""

    whole: Sent | None = None
    others: list[Sent] = field(default_factory=list)

    @property
    def sent(self) -> list[Sent]:
        return [self.whole, *self.others] if self.whole else self.others


class Sending:
    """Hands messages to a producer, in order, and waits for nothing."""

    def __init__(self, producer: AIOKafkaProducer, topics: Topics) -> None:
        self._producer, self._topics = producer, topics
        self._groups: defaultdict[int, deque[_Group]] = defaultdict(deque)
        self._last: dict[tuple[int, int], Sent] = {}

    async def send(self, messages: Sequence[Message]) -> None:
        """Hand messages over, all to a topic partition in one record; it waits only while the producer has no room."""
        sent: dict[int, Sent] = {}  # by message
        for found, value in records_of(messages):
            topic, partition = self._topics.named(found[0].topic), found[0].partition
            record = await self._producer.send(topic, value, partition=partition)
            sent |= {id(message): record for message in found}
        for message in messages:
            self._note(message, sent[id(message)])

    def _note(self, message: Message, sent: Sent) -> None:
        groups = self._groups[message.source]
        if message.topic == VELOCITY_ASKS and message.partition == message.source:
            groups.append(_Group(whole=sent))
        else:
            if not groups:
                groups.append(_Group())
            groups[-1].others.append(sent)
        if message.topic == VELOCITY_ASKS:
            self._last[message.source, message.partition] = sent

    def is_read(self, source: int, owner: int, position: int) -> bool:
        """Whether an owner that has read its asks up to offset ``position`` has all that was sent by one partition."""
        last = self._last.get((source, owner))
        return last is None or (last.done() and last.exception() is None and last.result().offset < position)

    def confirmed(self) -> dict[int, int]:
        """By partition the offset of its asks before which everything has reached all owners, where that moved.

        Raises:
            KafkaError: the broker did not take a message.
        """
        found = {}
        for number, groups in self._groups.items():
            while groups and all(sent.done() for sent in groups[0].sent):
                group = groups.popleft()
                for sent in group.sent:
                    sent.result()
                if group.whole is not None:
                    found[number] = group.whole.result().offset + 1
        return found

    async def flush(self) -> None:
        """Until all that was handed over is taken.

        Raises:
            KafkaError: the broker did not take a message.
        """
        for group in [group for groups in self._groups.values() for group in groups]:
            await asyncio.gather(*group.sent)


def records_of(messages: Sequence[Message]) -> Iterator[tuple[list[Message], bytes]]:
    """The records that messages are written as, with their values: one for all to a topic partition, as long as it does
    not become too large."""
    by_place: dict[tuple[str, int], list[Message]] = {}
    for message in messages:
        by_place.setdefault((message.topic, message.partition), []).append(message)
    for to_one in by_place.values():
        found: list[Message] = []
        values: list[bytes] = []
        for message in to_one:
            value = message.value
            if values and sum(map(len, values)) + len(value) > _RECORD_BYTES:
                yield found, packed(values)
                found, values = [], []
            found.append(message)
            values.append(value)
        yield found, packed(values)
