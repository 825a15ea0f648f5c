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
        by_place: dict[tuple[str, int], list[Message]] = {}
        for message in messages:
            by_place.setdefault((message.topic, message.partition), []).append(message)
        sent: dict[int, Sent] = {}  # by message
        for (topic, partition), found in by_place.items():
            for part in _records(found):
                value = packed([value for _, value in part])
                record = await self._producer.send(self._topics.named(topic), value, partition=partition)
                sent |= {id(message): record for message, _ in part}
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


def _records(messages: Sequence[Message]) -> Iterator[list[tuple[Message, bytes]]]:
    """Messages as they are written, so many of them together as make a record that is not too large."""
    found: list[tuple[Message, bytes]] = []
    size = 0
    for message in messages:
        value = message.value
        if found and size + len(value) > _RECORD_BYTES:
            yield found
            found, size = [], 0
        found.append((message, value))
        size += len(value)
    if found:
        yield found
