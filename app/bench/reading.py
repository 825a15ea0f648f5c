"""When records were appended, and when a consumer of committed records saw them."""

import asyncio
import time
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka.reading import PROMPT_MS

_PATIENCE_S = 30.0


class Input(msgspec.Struct, gc=False):
    """What is read of an event that was sent."""

    event_id: str


class Output(msgspec.Struct, gc=False):
    """What is read of an event that was published."""

    source_event_id: str


class Reader:
    """Reads topics from a point on."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker, isolation_level="read_committed", consumer_timeout_ms=PROMPT_MS
        )

    async def __aenter__(self) -> "Reader":
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def ends(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Where the partitions of ``topics`` end now."""
        await self._consumer.topics()
        cluster = await self._consumer._client.fetch_all_metadata()
        partitions = [
            TopicPartition(topic, number) for topic in topics for number in cluster.partitions_for_topic(topic)
        ]
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        return ends

    async def read(
        self,
        starts: dict[TopicPartition, int],
        kind: type[Input] | type[Output],
        count: int,
        during: float = 0.0,
        seen: bool = False,
    ) -> dict[str, int]:
        """By event id the append times in ms of ``count`` records after ``starts``, or when they are ``seen``.

        Args:
            during: seconds within which they are sent, if they are not there yet.
        """
        decoder = msgspec.json.Decoder(kind)
        self._consumer.assign(list(starts))
        for partition, offset in starts.items():
            self._consumer.seek(partition, offset)
        found: dict[str, int] = {}
        async with asyncio.timeout(_PATIENCE_S + during + count / 5_000):
            while len(found) < count:
                fetched = await self._consumer.getmany(timeout_ms=500)
                now_ms = time.time_ns() // 1_000_000
                for records in fetched.values():
                    for record in records:
                        event = decoder.decode(record.value)
                        id_ = event.event_id if isinstance(event, Input) else event.source_event_id
                        found[id_] = now_ms if seen else record.timestamp
        return found


def seen(broker: str, starts: dict[TopicPartition, int], count: int, during: float) -> dict[str, int]:
    """See `Reader.read`, of outputs; for a process of its own, which nothing but these keeps busy."""

    async def read() -> dict[str, int]:
        async with Reader(broker) as reader:
            return await reader.read(starts, Output, count, during, seen=True)

    return asyncio.run(read())
