"""How the fan-out reaches the broker: its topics, and a consumer and a producer of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.kafka.reading import PROMPT_MS
from app.kafka.topics import Topic, create_topics
from schemas.topics import INTERNALS, VELOCITY_ANSWERS, VELOCITY_ASKS

_LARGEST_RECORD = 8 << 20
_STOP_S = 2.0
_FETCH_WAIT_MS = 50  # new records end it at once


class Topics:
    """The names of a group's internal topics."""

    def __init__(self, group: str) -> None:
        self._names = {topic.name: topic.of(group) for topic in INTERNALS}
        self.asks, self.answers = self._names[VELOCITY_ASKS], self._names[VELOCITY_ANSWERS]

    def named(self, topic: str) -> str:
        """The full name of a topic of the catalogue."""
        return self._names[topic]


async def ensure_topics(broker: str, topics: Topics, partitions: int) -> None:
    """Make what is missing of a group's internal topics.

    Raises:
        TopicError: no broker answers, or a topic has another number of partitions.
    """
    wanted = [Topic(topics.named(topic.name), partitions, dict(topic.config)) for topic in INTERNALS]
    await create_topics(broker, wanted)


@asynccontextmanager
async def consuming(broker: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, of committed records, which is closed in the end.

    Raises:
        KafkaError: no broker answers.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        consumer_timeout_ms=PROMPT_MS,
        max_partition_fetch_bytes=4 << 20,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        # aiokafka misses that it is stopped while it takes another assignment in: then it has to be told twice.
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await consumer.stop()


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients, connected."""

    broker: str
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer

    @classmethod
    @asynccontextmanager
    async def running(cls, broker: str) -> AsyncIterator["Clients"]:
        """Clients that are closed in the end.

        Raises:
            KafkaError: no broker answers.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=broker, enable_idempotence=True, max_request_size=_LARGEST_RECORD, linger_ms=0
        )
        async with consuming(broker) as consumer, producer:
            yield cls(broker, consumer, producer)

    def read(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        self.consumer.assign(list(positions))
        for tp, offset in positions.items():
            self.consumer.seek(tp, offset)
