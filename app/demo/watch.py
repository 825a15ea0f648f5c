"""How far things are, from the broker: records by topic, and what the workers have not committed yet.

Outputs are counted as a subscriber sees them: offsets would count the markers of transactions too.
"""

from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.demo.workers import GROUP
from schemas.topics import INPUTS, OUTPUTS


@dataclass(frozen=True)
class Standing:
    """Records of every topic so far, and how many inputs are not committed as processed."""

    records: Counter[str]
    left: int


class Watch:
    """Asks a broker whose topics all have ``partitions`` partitions."""

    def __init__(self, broker: str, partitions: int) -> None:
        self._inputs = [TopicPartition(topic.name, number) for topic in INPUTS for number in range(partitions)]
        self._outputs = [TopicPartition(topic.name, number) for topic in OUTPUTS for number in range(partitions)]
        self._seen: Counter[str] = Counter()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        self._admin = AIOKafkaAdminClient(bootstrap_servers=broker)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._outputs)
        await self._admin.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._admin.close()
        await self._consumer.stop()

    async def look(self) -> Standing:
        """How far things are now."""
        ends = await self._consumer.end_offsets(self._inputs)
        committed = await self._admin.list_consumer_group_offsets(GROUP)
        records, left = Counter(await self._outputs_so_far()), 0
        for partition, end in ends.items():
            records[partition.topic] += end
            left += end - max(committed[partition].offset if partition in committed else 0, 0)
        return Standing(records, left)

    async def _outputs_so_far(self) -> Counter[str]:
        while found := await self._consumer.getmany():
            for partition, records in found.items():
                self._seen[partition.topic] += len(records)
        return self._seen
