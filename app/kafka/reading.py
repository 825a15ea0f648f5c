"""Topics read from the first record to the end as it is now, one partition at a time, committed records alone."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from app.kafka.fetched import Partition

_LARGEST = 8 << 20
_POLL_MS = 200

PROMPT_MS = 5
"""For `consumer_timeout_ms` of a plain aiokafka consumer that must not be late.

Where records are taken in the turn of the loop in which an answer arrives, it takes the node for busy and sleeps for
so long before it fetches again, 200 ms by default. (`app.kafka.fetcher` mends that for the inputs.)
"""


class PartitionReader:
    """Reads some topics' partitions of one number from the first record to the end as it is now."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> None:
        self._consumer = consumer
        self.ends: dict[str, int] = {tp.topic: end for tp, end in ends.items()}
        self._open = dict(ends)

    @property
    def is_at_end(self) -> bool:
        """Whether all was read."""
        return not self._open

    @property
    def topics(self) -> list[str]:
        """Those that were not read to the end."""
        return [tp.topic for tp in self._open]

    async def take(self, most: int, topics: Collection[str] = ()) -> dict[str, list[ConsumerRecord]]:
        """At most so many records, of any topics or of those named alone; empty for what lies between records."""
        wanted = [tp for tp in self._open if not topics or tp.topic in topics]
        fetched = await self._consumer.getmany(*wanted, timeout_ms=_POLL_MS, max_records=most)
        self._open = {tp: end for tp, end in self._open.items() if await self._consumer.position(tp) < end}
        return {tp.topic: records for tp, records in fetched.items()}


@asynccontextmanager
async def reading(broker: str, topics: Collection[str], partition: int) -> AsyncIterator[PartitionReader]:
    """A reader of partition ``partition`` of ``topics``."""
    tps = [TopicPartition(topic, partition) for topic in topics]
    async with AIOKafkaConsumer(
        bootstrap_servers=broker,
        isolation_level="read_committed",
        max_partition_fetch_bytes=_LARGEST,
        consumer_timeout_ms=PROMPT_MS,
    ) as consumer:
        consumer.assign(tps)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(tps)
        yield PartitionReader(consumer, {tp: end for tp, end in ends.items() if end > 0})


async def ends(broker: str, topics: Collection[str], partitions: int) -> dict[Partition, int]:
    """The end offset of every partition of ``topics``."""
    tps = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        return {(tp.topic, tp.partition): end for tp, end in (await consumer.end_offsets(tps)).items()}
