"""How far things are, from the broker: records by topic, and what the workers have not committed yet."""

from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.demo.workers import GROUP
from schemas.topics import INPUTS, TOPICS

_INPUTS = {topic.name for topic in INPUTS}


@dataclass(frozen=True)
class Standing:
    """Records of every topic so far, and how many inputs are not committed as processed."""

    records: Counter[str]
    left: int


class Watch:
    """Asks a broker whose topics all have ``partitions`` partitions."""

    def __init__(self, broker: str, partitions: int) -> None:
        self._partitions = [TopicPartition(topic.name, number) for topic in TOPICS for number in range(partitions)]
        self._consumer = AIOKafkaConsumer(bootstrap_servers=broker)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=broker)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        await self._admin.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._admin.close()
        await self._consumer.stop()

    async def look(self) -> Standing:
        """How far things are now."""
        ends = await self._consumer.end_offsets(self._partitions)
        committed = await self._admin.list_consumer_group_offsets(GROUP)
        records: Counter[str] = Counter()
        left = 0
        for partition, end in ends.items():
            records[partition.topic] += end
            if partition.topic in _INPUTS:
                left += end - max(committed[partition].offset if partition in committed else 0, 0)
        return Standing(records, left)
