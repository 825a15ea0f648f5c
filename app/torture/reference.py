"""What should have come out: the same path in this process, over the inputs in the order of their log, undisturbed."""

from aiokafka.structs import ConsumerRecord

from app.kafka.fetched import Fetched
from app.kafka.reading import PartitionReader
from app.ops.settings import Settings
from app.pipeline import Limits, Pipeline
from app.publish.outgoing import Outgoing
from app.state.columns import Lifetimes
from app.step import Models
from app.torture.visits import GAP_MS, GRACE_MS, HISTORY_MS

LIFETIMES = Lifetimes(GAP_MS, HISTORY_MS, GRACE_MS)
_MOST = 2_000


class Reference:
    """One partition, processed by nobody else.

    Attributes:
        pipeline: its state is what the group's must be when all was read.
        inputs: records read so far, by topic.
    """

    def __init__(
        self, models: Models, settings: Settings, partitions: int, reader: PartitionReader, number: int
    ) -> None:
        limits = Limits(settings.max_batch_records, settings.max_value_bytes, 0.0)
        self.pipeline = Pipeline(models, LIFETIMES, limits, partitions, with_headers=False)
        self._reader = reader
        self._number = number
        self._received: dict[str, int] = {}
        self.inputs: dict[str, int] = {}

    @property
    def is_at_end(self) -> bool:
        """Whether all inputs were processed."""
        return self._reader.is_at_end

    async def take(self) -> list[Outgoing]:
        """Process some more; what comes of it."""
        missing = [topic for topic in self._reader.topics if not self.pipeline.buffered(topic)]
        for topic, records in (await self._reader.take(_MOST, missing)).items():  # no topic is read far ahead
            self.pipeline.feed(_fetched(topic, self._number, records, self._reader.ends[topic]))
            self._received[topic] = records[-1].offset + 1
            self.inputs[topic] = self.inputs.get(topic, 0) + len(records)
        found = []
        while work := self.pipeline.work(lambda tp: self._lag(tp[0]), 0.0, 0):
            found += work.outgoing
        return found

    def _lag(self, topic: str) -> int:
        return self._reader.ends.get(topic, 0) - self._received.get(topic, 0)


def _fetched(topic: str, partition: int, records: list[ConsumerRecord], end: int) -> Fetched:
    return Fetched(
        topic=topic,
        partition=partition,
        first_offset=records[0].offset,
        next_offset=records[-1].offset + 1,
        end_offset=end,
        generation=0,
        size=sum(len(one.value) for one in records),
        offsets=[one.offset for one in records],
        timestamps=[one.timestamp for one in records],
        keys=[one.key for one in records],
        values=[one.value for one in records],
        headers=None,
    )
