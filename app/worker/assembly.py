"""A worker put together: the pipeline, its table and its processor on a Faust app."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.fanout.joiner import Joiners
from app.fanout.service import FanOut, FanOutOptions
from app.kafka.consumer import Consumer
from app.kafka.faust_app import BatchApp, create_app
from app.kafka.fetched import Partition
from app.kafka.options import TransportOptions
from app.kafka.producer import Producer, Send
from app.kafka.transactions import TransactionalProducers
from app.ops.settings import Settings
from app.pipeline import Limits, Pipeline
from app.state.columns import Lifetimes
from app.state.partition_rows import PartitionRows
from app.state.recovery import Progress as RecoveryProgress
from app.state.recovery import RecoveryReport
from app.state.store import Stores
from app.state.table import ColumnTable
from app.state.table_manager import ColumnTableManager
from app.step import Models
from app.velocity.catalogue import CATALOGUE
from app.worker.at_least_once import AtLeastOnce
from app.worker.delivery import Clocks
from app.worker.exactly_once import ExactlyOnce
from app.worker.observer import Observer
from app.worker.processor import Processor
from app.worker.velocities import FanOutHolding
from schemas.topics import BY_NAME, DEAD_LETTER, INPUTS, ORDERS

TABLE = "sessions"
_LARGEST_RECORD = int(BY_NAME[DEAD_LETTER].config["max.message.bytes"])


def now_ms() -> int:
    """The wall clock, in ms since the epoch."""
    return time.time_ns() // 1_000_000


CLOCKS = Clocks(time.monotonic, now_ms)


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of a worker."""

    app: BatchApp
    pipeline: Pipeline
    table: ColumnTable
    processor: Processor
    fan_out: FanOut
    observer: Observer
    settings: Settings


class ConsumerOffsets:
    """The app's consumer, which exists once the app runs; of orders that are durable ``joiners`` are told."""

    def __init__(self, app: BatchApp, joiners: Joiners) -> None:
        self._app = app
        self._joiners = joiners

    @property
    def consumer(self) -> Consumer:
        """The consumer."""
        consumer: Consumer = self._app.consumer
        return consumer

    def lag(self, tp: Partition, received: int | None = None) -> int | None:
        """See ``Consumer.lag``."""
        return self.consumer.lag(tp, received)

    def mark_durable(self, tp: Partition, next_offset: int, generation: int | None) -> None:
        """See ``Ledger.mark_durable``."""
        topic, partition = tp
        if topic == ORDERS:
            self._joiners.of(partition).through(next_offset)
        self.consumer.ledger.mark_durable(tp, next_offset, generation)

    def rejoin(self) -> None:
        """See ``Consumer.rejoin``."""
        self.consumer.rejoin()


class LazySender:
    """The app's producer, started at the first use."""

    def __init__(self, app: BatchApp) -> None:
        self._app = app

    async def send_records(self, send: Send) -> Awaitable[int]:
        """See ``Producer.send_records``."""
        producer: Producer = await self._app.maybe_start_producer()
        return await producer.send_records(send)


def assemble(settings: Settings, models: Models, observer: Observer, partitions: int) -> Assembly:
    """Put a worker for topics of so many partitions together; nothing of it runs yet."""
    folder = settings.state_dir / settings.instance
    folder.mkdir(parents=True, exist_ok=True)
    app = create_app(
        settings.group,
        settings.broker,
        folder / "faust",
        instance=settings.instance,
        options=TransportOptions(
            batch_records=settings.max_batch_records,
            batch_bytes=settings.max_batch_bytes,
            max_record_bytes=_LARGEST_RECORD,
        ),
        session_timeout=settings.session_timeout_ms / 1000,
        settings={"TableManager": ColumnTableManager},
    )
    joiners = Joiners(settings.velocity_deadline_ms / 1000)
    pipeline = build_pipeline(settings, models, partitions, joiners)
    table = ColumnTable(
        app,
        name=TABLE,
        rows=PartitionRows(pipeline.state),
        stores=Stores(folder / TABLE, now_ms),
        sources=[topic.name for topic in INPUTS],
        broker=settings.broker,
        now_ms=now_ms,
        on_progress=_recovering(observer),
        on_recovered=lambda report: recovered(report),
    )
    app.tables.add(table)
    offsets = ConsumerOffsets(app, joiners)
    delivery = _delivery(settings, app, table, offsets, observer)
    processor = Processor(pipeline, table.held, offsets, delivery, observer, CLOCKS)
    options = FanOutOptions(
        settings.broker, settings.group, partitions, folder / "velocities", settings.max_value_bytes
    )
    fan_out = FanOut(options, CATALOGUE, joiners, lambda changed: processor.wake(), observer.metrics)
    holding = FanOutHolding(fan_out, pipeline.state.applied, delivery.take_over)
    table.held.take_over = holding.take_over
    recovered = _recovered(observer, holding)
    return Assembly(app, pipeline, table, processor, fan_out, observer, settings)


def _delivery(
    settings: Settings, app: BatchApp, table: ColumnTable, offsets: ConsumerOffsets, observer: Observer
) -> ExactlyOnce:
    """What makes steps durable, by the guarantee of the settings."""
    producers = TransactionalProducers(settings.broker, settings.group, app.transport_options)
    transactions = (table.held, offsets, producers, table.changelog_topic_name, observer, CLOCKS)
    return (
        ExactlyOnce(*transactions, offsets.rejoin)
        if settings.guarantee == "exactly_once"
        else AtLeastOnce(LazySender(app), *transactions, offsets.rejoin)
    )


def build_pipeline(settings: Settings, models: Models, partitions: int, joiners: Joiners | None = None) -> Pipeline:
    """The path as the settings bound it; see `Pipeline` for ``joiners``."""
    lifetimes = Lifetimes(settings.session_gap_ms, settings.history_ttl_ms, settings.grace_ms)
    limits = Limits(settings.max_batch_records, settings.max_value_bytes, settings.max_idle_ms / 1000)
    return Pipeline(models, lifetimes, limits, partitions, settings.cloudevents_headers, joiners)


def _recovering(observer: Observer) -> Callable[[RecoveryProgress], None]:
    return lambda progress: observer.progress.recovering(progress.partition)


def _recovered(observer: Observer, holding: FanOutHolding) -> Callable[[RecoveryReport], None]:
    def tell(report: RecoveryReport) -> None:
        for part in report.partitions:
            observer.progress.recovered(part.partition)
            observer.metrics.recovered(part.partition, part.records, report.seconds)
            if part.rebuilt is not None:
                observer.metrics.store_rebuilt(part.rebuilt)
        holding.recovered([part.partition for part in report.partitions])

    return tell
