"""A worker's process: the real classes, and in the place of Faust what it does at a rebalance and for commits."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from app.kafka.fetched import Partition
from app.kafka.ledger import Ledger
from app.kafka.transactions import TransactionalProducers
from app.pipeline import Limits, Pipeline, Work
from app.state.changelog import DAY_MS, Changelog
from app.state.held import HeldPartitions
from app.state.partition_rows import PartitionRows
from app.state.recovery import RecoveryReport, recover
from app.state.store import PartitionStore
from app.worker.at_least_once import AtLeastOnce
from app.worker.delivery import Clocks
from app.worker.exactly_once import ExactlyOnce
from app.worker.observer import Observer
from app.worker.processor import Processor
from schemas.topics import INPUTS
from tests.fakes import fake_models
from tests.harness import LIVES, SCORED_AT, VALUE_BYTES
from tests.simulation.broker import Kafka
from tests.simulation.clients import OPTIONS, Sender, fetched
from tests.simulation.disk import Disk, SimulatedStores
from tests.simulation.group import Group
from tests.simulation.loop import SimulatedLoop
from tests.simulation.wire import Client, Wire

GROUP, CHANGELOG = "sluice", "changelog"
MODELS = fake_models()


class Unobserved(Observer):
    """Metrics cost more than a step and decide nothing."""

    def __init__(self) -> None:
        """Nothing to tell."""

    def stepped(self, work: Work, seconds: float) -> None:
        """Nobody is told."""

    def durable(self, work: Work, computing: float, delivering: float) -> None:
        """Nobody is told."""


@dataclass(frozen=True)
class Parts:
    """The classes that a worker is made of: a mutation replaces one."""

    exactly_once: type[ExactlyOnce] = ExactlyOnce
    at_least_once: type[AtLeastOnce] = AtLeastOnce
    processor: type[Processor] = Processor
    producers: type[TransactionalProducers] = TransactionalProducers


class Input:
    """What the worker's consumer knows; see ``app.worker.delivery.Offsets``."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.positions: dict[Partition, int] = {}
        self._starts: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}

    def begin(self, positions: dict[Partition, int]) -> None:
        """Read from there."""
        self.positions, self._starts = positions, dict(positions)
        self._ends.clear()

    def stop(self) -> None:
        """Read nothing until the next assignment."""
        self.positions = {}
        self._starts.clear()
        self._ends.clear()

    def read(self, tp: Partition, position: int, end: int) -> None:
        """A fetch came back."""
        self.positions[tp], self._ends[tp] = position, end

    def lag(self, tp: Partition, received: int | None = None) -> int | None:
        """See ``Consumer.lag``."""
        end, base = self._ends.get(tp), self._starts.get(tp) if received is None else received
        return None if end is None or base is None else max(0, end - base)

    def mark_durable(self, tp: Partition, next_offset: int, generation: int | None) -> None:
        """See ``Ledger``."""
        self.ledger.mark_durable(tp, next_offset, generation)


class Worker:
    """One process from its start to its end."""

    def __init__(
        self, client: Client, kafka: Kafka, wire: Wire, group: Group, disk: Disk, guarantee: str, parts: Parts
    ) -> None:
        self.client = client
        self.is_paused = False
        self.stores = SimulatedStores(disk)
        self.input = Input()
        self._kafka = kafka
        self._wire = wire
        self._group = group
        self._generation = -1
        self._is_revoked = True
        self._revoking: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._assigning: asyncio.Task[None] | None = None
        limits = Limits(group.step_records, VALUE_BYTES, 0.0)
        self.pipeline = Pipeline(MODELS, LIVES, limits, group.partitions, with_headers=True)
        self.held = HeldPartitions(PartitionRows(self.pipeline.state), self._recover)
        self._clocks = Clocks(client.loop.time, lambda: SCORED_AT)
        delivery = self._delivery(parts, guarantee)
        self.processor = parts.processor(self.pipeline, self.held, self.input, delivery, Unobserved(), self._clocks)
        self._running = client.loop.create_task(self.processor.run())

    @property
    def name(self) -> str:
        """Of the member of the group."""
        return self.client.name

    @property
    def loop(self) -> SimulatedLoop:
        """The process's own."""
        return self.client.loop

    def _delivery(self, parts: Parts, guarantee: str) -> ExactlyOnce:
        producers = parts.producers(self.name, GROUP, OPTIONS)
        transactions = (self.held, self.input, producers, CHANGELOG, Unobserved(), self._clocks, self._give_up)
        delivery = (
            parts.exactly_once(*transactions)
            if guarantee == "exactly_once"
            else parts.at_least_once(Sender(self._kafka, self._wire, self.client), *transactions)
        )
        self.held.take_over = delivery.take_over
        return delivery

    @property
    def readable(self) -> list[Partition]:
        """The input partitions that may be fetched: those whose rows are there."""
        return [tp for tp in self.input.positions if tp[1] in self.held.stores]

    def fetch(self, tp: Partition, most: int) -> None:
        """The consumer delivers what follows in a partition: perhaps nothing but the news that nothing does."""
        start = self.input.positions[tp]
        read = self._kafka.read(tp, start, most)
        self.input.read(tp, read.position, read.end)
        if read.position > start:
            self.processor.feed(fetched(tp, start, read, self._generation))

    def hear_of_new_input(self) -> None:
        """The broker tells the new ends of all partitions at once, so that alignment waits for what is to come."""
        for tp, position in self.input.positions.items():
            self.input.read(tp, position, self._kafka.stable_end(tp))

    def revoke(self) -> None:
        """The group is about to change hands: finish, commit, and give up all partitions."""
        self._is_revoked = True
        self.input.stop()
        self._revoking = self.loop.create_task(self._revoke())

    def cut_drain(self) -> None:
        """The time for finishing is over."""
        if self._draining is not None:
            self._draining.cancel()

    @property
    def is_draining(self) -> bool:
        """Whether it has been told to give up its partitions and has not yet."""
        return self._revoking is not None and not self._revoking.done()

    def assign(self, generation: int, partitions: Collection[int]) -> None:
        """The group has given it these partitions."""
        self._is_revoked = False
        self._generation = generation
        self.input.ledger.own([(topic.name, number) for number in partitions for topic in INPUTS], generation)
        self.processor.begin(generation)
        self._assigning = self.loop.create_task(self._assign(self._assigning, generation, partitions))

    @property
    def is_assigning(self) -> bool:
        """Whether it is reading its state back."""
        return self._assigning is not None and not self._assigning.done()

    def commit(self) -> None:
        """Commit what is durable, as the consumer does from time to time."""
        self.loop.create_task(self._commit())

    @property
    def failure(self) -> BaseException | None:
        """Why the process must end."""
        for task in (self._running, self._assigning, self._revoking):
            if task is not None and task.done() and not task.cancelled() and (error := task.exception()):
                return error
        return None

    def die(self) -> None:
        """The process is gone: nothing more that it does has any effect."""
        self.client.alive = False
        self.stores.die()
        for _ in range(2):
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.settle()
        self.loop.close()

    async def _revoke(self) -> None:
        partitions = self.input.ledger.owned()
        if not partitions:
            return
        try:
            self._draining = asyncio.create_task(self.processor.drain())
            with suppress(asyncio.CancelledError):
                await self._draining
            await self._commit()
        finally:
            self.input.ledger.forget(partitions)

    async def _commit(self) -> None:
        offsets = self.input.ledger.committable()
        if not offsets:
            return
        name, generation = self.name, self._generation

        def write() -> None:
            self._group.require(name, generation)
            self._kafka.offsets.update(offsets)

        with suppress(KafkaError):
            await self._wire.ask(self.client, f"offsets {sorted(offsets.items())}", write)
            self.input.ledger.mark_committed(offsets)

    async def _assign(self, before: "asyncio.Task[None] | None", generation: int, partitions: Collection[int]) -> None:
        if before is not None:
            before.cancel()
            await asyncio.wait([before])
        missing = await self.held.keep(partitions, generation)
        recovering = asyncio.create_task(self._recover_missing(missing))
        try:
            await self._seek(generation, partitions)
            await recovering
        finally:
            recovering.cancel()
            await asyncio.wait([recovering])

    async def _recover_missing(self, missing: Collection[int]) -> None:
        if missing:
            await self.held.recover(missing)

    async def _seek(self, generation: int, partitions: Collection[int]) -> None:
        """Go on from the committed offsets, as they are now: before partitions are recovered."""
        tps = [(topic.name, number) for number in sorted(partitions) for topic in INPUTS]

        def committed() -> dict[Partition, int]:
            return {tp: self._kafka.offsets.get(tp, 0) for tp in tps}

        positions = await self._wire.ask(self.client, "read committed offsets", committed)
        if generation == self._generation and not self._is_revoked:
            self.input.begin(positions)

    async def _recover(self, partitions: Collection[int]) -> tuple[dict[int, PartitionStore], RecoveryReport]:
        return await recover(
            partitions,
            self.stores,
            PartitionRows(self.pipeline.state),
            Changelog(CHANGELOG, self._group.partitions, 7 * DAY_MS),
            {"bootstrap_servers": self.name},
            now_ms=lambda: 0,
        )

    def _give_up(self) -> None:
        if self.client.alive:
            self._group.ask_for_rebalance()
