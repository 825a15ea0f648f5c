"""The input topics read back through the path of a worker: what was scored, with the features as they were then.

Each partition is read whole, from the first record that the broker still has, and goes through the very step of
production with the versions that serve. So features cannot differ from those at the time of scoring but where a worker
went on without a topic that was idle (`sluice_enforced_alignments_total`), or where records of before are gone.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aiokafka.structs import ConsumerRecord

from app.effects import Effects, MetRule, ScoredClicks, ScoredOrders
from app.fanout.joiner import Joiners
from app.fanout.local import LocalFanOut
from app.kafka.fetched import Fetched, Partition
from app.kafka.reading import PartitionReader, reading
from app.learning.labels import OrderLabels
from app.pipeline import Limits, Pipeline
from app.state.columns import Lifetimes
from app.step import Models
from app.velocity.stream import TURNS
from schemas.topics import INPUTS, LABELS

_MOST = 4_096

NewPipeline = Callable[[], Pipeline]
"""Makes one with an empty state."""


@dataclass(eq=False)
class Gathered:
    """What the topics hold: scored clicks and orders of all partitions, the rules that sessions met, the labels, and
    records by topic.

    ``until`` is the latest event time that the stream reached in ms, 0 where there was nothing.
    """

    clicks: list[ScoredClicks] = field(default_factory=list)
    orders: list[ScoredOrders] = field(default_factory=list)
    met: list[MetRule] = field(default_factory=list)
    labels: OrderLabels = field(default_factory=OrderLabels)
    inputs: Counter[str] = field(default_factory=Counter)
    until: int = 0

    def take(self, effects: Effects) -> None:
        """Keep what a step scored."""
        self.clicks += effects.clicks
        self.orders += effects.orders
        self.met += effects.met


async def gather(
    broker: str,
    partitions: int,
    new_pipeline: NewPipeline,
    done: Callable[[int], None],
    fan_out: LocalFanOut | None = None,
    into: Gathered | None = None,
) -> Gathered:
    """Read all partitions of the input topics; ``done`` is told of the records as they are read.

    ``into`` takes the steps in; by default all that they scored is kept.

    An entity has its orders in all partitions: so where velocities are looked at, the orders and labels of all are read
    before, for the joiners of ``fan_out``, which are the pipelines'.

    Raises:
        KafkaError: the broker does not answer.
    """
    found = Gathered() if into is None else into
    if fan_out is not None and fan_out.is_used:
        await _ask(broker, partitions, fan_out)
    for partition in range(partitions):
        async with reading(broker, [topic.name for topic in INPUTS], partition) as reader:
            await _gather_partition(reader, partition, new_pipeline(), found, done)
    return found


async def _ask(broker: str, partitions: int, fan_out: LocalFanOut) -> None:
    lag: dict[Partition, int] = {}
    for partition in range(partitions):
        async with reading(broker, TURNS, partition) as reader:
            while not reader.is_at_end:
                for topic, records in (await reader.take(_MOST)).items():
                    fan_out.feed(_fetched(topic, partition, records, reader.ends[topic]))
                    lag[topic, partition] = reader.ends[topic] - records[-1].offset - 1
            # A topic's last offsets may hold no records, only markers of transactions.
            lag.update({(topic, partition): 0 for topic in TURNS})
        fan_out.exchange(lambda number, topic: lag.get((topic, number)))


async def _gather_partition(
    reader: PartitionReader, partition: int, pipeline: Pipeline, found: Gathered, done: Callable[[int], None]
) -> None:
    received: dict[str, int] = {}
    while not reader.is_at_end:
        for topic, records in (await reader.take(_MOST)).items():
            received[topic] = records[-1].offset + 1
            found.inputs[topic] += len(records)
            if topic == LABELS:
                found.labels.take(record.value for record in records)
            pipeline.feed(_fetched(topic, partition, records, reader.ends[topic]))
            done(len(records))
        lag = {topic: end - received.get(topic, 0) for topic, end in reader.ends.items()}
        _work(pipeline, lag, found)
    # A topic's last offsets may hold no records, only markers of transactions.
    _work(pipeline, {}, found)
    found.until = max(found.until, *(time.watermark for time in pipeline.state.times.values()), 0)


def _work(pipeline: Pipeline, lag: dict[str, int], found: Gathered) -> None:
    while work := pipeline.work(lambda tp: lag.get(tp[0], 0), 0.0, 0):
        found.take(work.effects)


def pipeline_of(
    models: Models, lifetimes: Lifetimes, limits: Limits, partitions: int, joiners: Joiners | None = None
) -> NewPipeline:
    """Makes pipelines like those of a worker whose topics have so many partitions."""
    return lambda: Pipeline(models, lifetimes, limits, partitions, with_headers=False, joiners=joiners)


def gathered(values: Iterable[Fetched], pipeline: Pipeline) -> Gathered:
    """The same of fetches that are at hand, each topic's in order."""
    found = Gathered()
    for fetched in values:
        found.inputs[fetched.topic] += len(fetched)
        if fetched.topic == LABELS:
            found.labels.take(fetched.values)
        pipeline.feed(fetched)
    _work(pipeline, {}, found)
    found.until = max((time.watermark for time in pipeline.state.times.values()), default=0)
    return found


def _fetched(topic: str, partition: int, records: list[ConsumerRecord[bytes, bytes]], end: int) -> Fetched:
    return Fetched(
        topic=topic,
        partition=partition,
        first_offset=records[0].offset,
        next_offset=records[-1].offset + 1,
        end_offset=end,
        generation=0,
        size=sum(len(one.value or b"") for one in records),
        offsets=[one.offset for one in records],
        timestamps=[one.timestamp for one in records],
        keys=[one.key for one in records],
        values=[one.value for one in records],
        headers=None,
    )
