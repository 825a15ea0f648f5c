"""What runs beside Faust in a worker's process: the processor, the monitor, health, and the watchdog."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Collection, Mapping

from mode import Service

from app.kafka.consumer import Consumer
from app.kafka.fetched import Partition
from app.ops.health import HealthServer
from app.ops.watchdog import watch
from app.worker.assembly import Assembly, now_ms
from schemas.topics import INPUTS

_MONITOR_S = 1.0
_END_CHECK_S = 0.05
_UNKNOWN_LOOKS = 5


class TopicGone(Exception):
    """An input topic is not there any more."""

    def __init__(self, topics: Collection[str]) -> None:
        super().__init__(
            f"topic {', '.join(sorted(topics))} is gone from the broker: it was deleted while this worker read it. "
            "Make it again with `sluice topics create`, and run with another --group: the state of this one includes "
            "records that the new topic does not have"
        )


class WorkerService(Service):  # type: ignore[misc]
    """Runs with the app and ends it when it cannot go on.

    Args:
        assembly: the worker.
        ends: where each input partition ends; once everything before is committed the worker leaves. None: it stays.
    """

    def __init__(self, assembly: Assembly, ends: Mapping[Partition, int] | None = None, **options: object) -> None:
        super().__init__(**options)
        self._assembly = assembly
        self._ends = ends
        self._answered_at: int | None = None
        self._unknown_for = 0  # looks in a row that found an input topic missing
        self._shown: set[int] = set()  # partitions that have gauges
        self._unknown_fields: Counter[str] = Counter()  # those counted in the metrics
        settings = assembly.settings
        self._health = HealthServer(
            assembly.observer.progress,
            assembly.observer.metrics.registry,
            settings.http_host,
            settings.http_port,
            any_port="http_port" not in settings.model_fields_set,
        )

    async def on_start(self) -> None:
        """Serve health, and drain before partitions are given up."""
        consumer, processor = self._assembly.app.consumer, self._assembly.processor
        consumer.on_revoking, consumer.on_assigned = self._revoking, processor.begin
        consumer.on_commit = self._assembly.observer.metrics.committed
        await self._health.start()

    async def on_stop(self) -> None:
        """Stop serving."""
        await self._health.stop()

    async def _revoking(self, _partitions: frozenset[Partition], _deadline: float) -> None:
        await self._assembly.processor.drain()

    @Service.task  # type: ignore[untyped-decorator]
    async def _process(self) -> None:
        registry = self._assembly.observer.registry
        await registry.ready()
        try:
            await self._assembly.processor.run()
        except Exception:
            registry.step_failed()
            raise

    @Service.task  # type: ignore[untyped-decorator]
    async def _watchdog(self) -> None:
        observer = self._assembly.observer
        await watch(observer.progress, self._assembly.settings.watchdog_s, os._exit, observer.metrics)

    @Service.task  # type: ignore[untyped-decorator]
    async def _monitor(self) -> None:
        while not self.should_stop:
            self._look()
            self._assembly.observer.registry.look()
            self._look_for_topics()
            await self.sleep(_MONITOR_S)

    @Service.task  # type: ignore[untyped-decorator]
    async def _leave_at_end(self) -> None:
        while self._ends is not None and not self.should_stop:
            if self._at_end(self._ends):
                signal.raise_signal(signal.SIGTERM)
                return
            await asyncio.sleep(_END_CHECK_S)

    def _at_end(self, ends: Mapping[Partition, int]) -> bool:
        held = self._assembly.table.held.stores.keys()
        consumer = self._assembly.app.consumer
        mine = consumer.ledger.owned()
        if any(partition not in held for _, partition in mine):
            return False
        return bool(mine) and all(_is_read(consumer, tp, ends[tp]) for tp in mine if ends[tp] > 0)

    def _look(self) -> None:
        """Tell lag, watermarks and sizes as they are now."""
        assembly = self._assembly
        observer, consumer = assembly.observer, assembly.app.consumer
        partitions = consumer.ledger.owned()
        numbers = {partition for _, partition in partitions}
        observer.progress.assigned(numbers)
        for partition in self._shown - numbers:
            observer.metrics.forget(partition)
        self._shown = numbers
        if partitions:
            self._look_at_answers()
        total = 0
        for topic, partition in partitions:
            lag = consumer.lag((topic, partition), consumer.ledger.durable((topic, partition)))
            if lag is not None:
                observer.metrics.lag(topic, partition, lag)
                total += lag
        observer.progress.lag(total)
        observer.metrics.in_flight(consumer.in_flight.records)
        self._look_at_pipeline()
        self._look_at_state()

    def _look_for_topics(self) -> None:
        """A broker that is starting may not know its topics yet; one that does not know them for long has lost them."""
        consumer = self._assembly.app.consumer
        unknown = consumer.unknown_topics() if consumer.ledger.owned() else frozenset()
        self._unknown_for = self._unknown_for + 1 if unknown else 0
        if self._unknown_for > _UNKNOWN_LOOKS:
            raise TopicGone(unknown)

    def _look_at_answers(self) -> None:
        answered_at = self._assembly.app.consumer.answered_at()
        if answered_at not in (None, self._answered_at):
            self._assembly.observer.progress.polled()
        self._answered_at = answered_at

    def _look_at_pipeline(self) -> None:
        pipeline, metrics = self._assembly.pipeline, self._assembly.observer.metrics
        for topic in INPUTS:
            metrics.buffered(topic.name, pipeline.buffered(topic.name))
        unknown = Counter(pipeline.unknown_fields)
        for name, count in (unknown - self._unknown_fields).items():
            metrics.unknown_fields(name, count)
        self._unknown_fields = unknown

    def _look_at_state(self) -> None:
        """Only of partitions that are held: the rows of others stay until they are assigned again."""
        state, metrics = self._assembly.pipeline.state, self._assembly.observer.metrics
        sizes = state.table.sizes()
        for partition in self._shown & state.times.keys():
            metrics.watermark(partition, state.times[partition].watermark, now_ms())
        for partition in self._shown & sizes.keys():
            rows, sessions = sizes[partition]
            metrics.state("sessions", partition, rows, rows * state.table.bytes_per_row)
            metrics.live_sessions(partition, sessions)


def _is_read(consumer: Consumer, tp: Partition, end: int) -> bool:
    """Whether everything before ``end`` is durable; where nothing was left to read, it was before this run."""
    durable = consumer.ledger.durable(tp)
    return (durable or 0) >= end or consumer.lag(tp, durable) == 0
