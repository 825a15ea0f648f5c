"""The topics of the contract on a real Kafka: inputs go in, outputs come out as the in-process harness shows them."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from app.kafka.fetched import Partition
from app.kafka.partition import partition_of
from schemas.topics import DEAD_LETTER, INPUTS, OUTPUTS
from tests.harness import Input, Record

PARTITIONS = 4
LARGEST = 8 << 20


class Stored(NamedTuple):
    """A record as the broker has it: its offset, when it was appended (ms), and what it says."""

    offset: int
    appended_at: int
    record: Record


class ContractTopics:
    """All topics of the contract at one broker, with ``PARTITIONS`` partitions each."""

    def __init__(self, broker: str) -> None:
        self.broker = broker
        self._counted: dict[TopicPartition, tuple[int, int]] = {}  # the offset up to which, and how many

    def send(self, *inputs: Input) -> None:
        """Append the inputs, in order; returns when the broker has them all."""
        asyncio.run(self.append(inputs))

    async def append(self, inputs: Sequence[Input]) -> None:
        """Append the inputs, in order."""
        async with self.producer() as producer:
            await append(producer, inputs)

    def producer(self) -> AIOKafkaProducer:
        """A producer for many calls of ``append``."""
        return AIOKafkaProducer(bootstrap_servers=self.broker, max_request_size=LARGEST, enable_idempotence=True)

    def read(self, *topics: str) -> list[Record]:
        """Every record of these topics (of all outputs where none is named), by topic, partition and offset."""
        return [stored.record for stored in self.stored(*topics)]

    def stored(self, *topics: str) -> list[Stored]:
        """The same, with what the broker says of each."""
        return asyncio.run(self._stored(topics or [topic.name for topic in OUTPUTS]))

    def count(self, *topics: str) -> int:
        """How many committed records these topics have: markers of transactions take offsets too.

        It reads them, and the next time only what came since.
        """
        return asyncio.run(self._count(topics))

    def ends(self, *topics: str) -> dict[Partition, int]:
        """End offsets of these topics; of the inputs where none is named."""
        return asyncio.run(self._ends(_partitions(topics or [topic.name for topic in INPUTS])))

    def committed(self, group: str) -> dict[Partition, int]:
        """What the group has committed of each input partition; 0 where it has not."""
        return asyncio.run(self._committed(group))

    def changelog(self, group: str) -> dict[tuple[int, bytes], bytes | None]:
        """The latest value of each partition and key in the changelog; None for a tombstone."""
        stored = self.stored(f"{group}-sessions-changelog")
        return {(one.record.partition, one.record.key or b""): one.record.value for one in stored}

    async def _count(self, topics: Sequence[str]) -> int:
        tps = _partitions(topics)
        async with self._reading(tps) as (consumer, ends):
            for tp in tps:
                consumer.seek(tp, self._counted.setdefault(tp, (0, 0))[0])
            while any([ends[tp] > await consumer.position(tp) for tp in tps]):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    self._counted[tp] = await consumer.position(tp), self._counted[tp][1] + len(records)
        return sum(self._counted[tp][1] for tp in tps)

    async def _stored(self, topics: Sequence[str]) -> list[Stored]:
        found: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in _partitions(topics)}
        async with self._reading(found) as (consumer, ends):
            while any([ends[tp] > await consumer.position(tp) for tp in found]):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp] += records
        return [_stored(one) for records in found.values() for one in records]

    @asynccontextmanager
    async def _reading(
        self, tps: Collection[TopicPartition]
    ) -> AsyncIterator[tuple[AIOKafkaConsumer, dict[TopicPartition, int]]]:
        async with AIOKafkaConsumer(
            bootstrap_servers=self.broker, isolation_level="read_committed", max_partition_fetch_bytes=LARGEST
        ) as consumer:
            consumer.assign(list(tps))
            await consumer.seek_to_beginning()
            yield consumer, await consumer.end_offsets(list(tps))

    async def _ends(self, tps: list[TopicPartition]) -> dict[Partition, int]:
        async with AIOKafkaConsumer(bootstrap_servers=self.broker) as consumer:
            return {(tp.topic, tp.partition): end for tp, end in (await consumer.end_offsets(tps)).items()}

    async def _committed(self, group: str) -> dict[Partition, int]:
        tps = _partitions([topic.name for topic in INPUTS])
        async with AIOKafkaConsumer(bootstrap_servers=self.broker, group_id=group, enable_auto_commit=False) as reader:
            return {(tp.topic, tp.partition): await reader.committed(tp) or 0 for tp in tps}


async def append(producer: AIOKafkaProducer, inputs: Sequence[Input]) -> None:
    """Append the inputs, in order, and wait for the broker."""
    sent = []
    for one in inputs:
        partition = partition_of(one.key or b"", PARTITIONS) if one.partition is None else one.partition
        headers = [(name, value or b"") for name, value in one.headers]
        sent.append(await producer.send(one.topic, one.value, one.key, partition, headers=headers))
    await asyncio.gather(*sent)


def _partitions(topics: Sequence[str]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]


def _stored(one: ConsumerRecord) -> Stored:
    is_json = one.topic in {topic.name for topic in OUTPUTS} - {DEAD_LETTER}
    body: Any = json.loads(one.value or b"null") if is_json else None
    record = Record(one.topic, one.partition, one.key, one.value, dict(one.headers), body)
    return Stored(one.offset, one.timestamp, record)
