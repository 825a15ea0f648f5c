"""A processor without a broker: its records are acknowledged when the test says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from app.kafka.fetched import Partition
from app.kafka.ledger import Ledger
from app.kafka.producer import Send
from app.ops.metrics import Metrics
from app.ops.progress import Progress
from app.state.held import HeldPartitions
from app.state.partition_rows import PartitionRows
from app.state.recovery import RecoveryReport
from app.state.store import PartitionStore, Stores
from app.tally import Tally
from app.worker.at_least_once import AtLeastOnce
from app.worker.delivery import Clocks
from app.worker.observer import Observer
from app.worker.processor import Processor
from schemas.topics import INPUTS
from tests.harness import SCORED_AT, Input, Worker

CHANGELOG = "changelog"
GENERATION = 1


@dataclass(frozen=True, eq=False)
class Delivery:
    """Records that were handed to the broker: of a call of ``send_records``."""

    topic: str
    partition: int
    records: int
    answer: "asyncio.Future[int]"

    def acknowledge(self, next_offset: int = 1) -> None:
        """The broker has them, up to an offset."""
        self.answer.set_result(next_offset)


class Broker:
    """Takes records and does not answer by itself; ``open`` is whether it takes them at once."""

    def __init__(self) -> None:
        self.taken: list[Delivery] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send_records(self, send: Send) -> Awaitable[int]:
        await self.open.wait()
        return self._take(send).answer

    async def start(self, partitions: Collection[int]) -> Mapping[int, "Broker"]:
        """Transactional producers."""
        return dict.fromkeys(partitions, self)

    async def commit(self, sends: Sequence[Send]) -> list[int]:
        """A transaction, committed once its records are acknowledged."""
        return [await delivery.answer for delivery in map(self._take, sends)]

    async def stop(self) -> None:
        """It stays."""

    def _take(self, send: Send) -> Delivery:
        delivery = Delivery(send.topic, send.partition, len(send.keys), asyncio.get_running_loop().create_future())
        self.taken.append(delivery)
        return delivery


class Offsets:
    """A ledger, and lags as the test sets them."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.marked: list[tuple[Partition, int, int | None]] = []
        self.lags: dict[Partition, int | None] = {}

    def lag(self, tp: Partition, received: int | None = None) -> int | None:
        return self.lags.get(tp, 0)

    def mark_durable(self, tp: Partition, next_offset: int, generation: int | None) -> None:
        self.marked.append((tp, next_offset, generation))
        self.ledger.mark_durable(tp, next_offset, generation)


class Engine:
    """A processor that holds some partitions, and everything around it."""

    def __init__(self, folder: Path) -> None:
        self.worker = Worker(partitions=2, step_records=16)
        self.broker, self.offsets, self.tally = Broker(), Offsets(), Tally()
        self.stores = Stores(folder, lambda: 0)
        self.generation = GENERATION
        self.held = HeldPartitions(PartitionRows(self.worker.pipeline.state), self._recover)
        observer = Observer(Metrics(CollectorRegistry()), Progress(lambda: 0.0), self.tally)
        clocks = Clocks(lambda: 0.0, lambda: SCORED_AT)
        self.given_up = 0
        delivery = AtLeastOnce(
            self.broker, self.held, self.offsets, self.broker, CHANGELOG, observer, clocks, self._give_up
        )
        delivery.linger_s = 0
        self.held.take_over = delivery.take_over
        self.processor = Processor(self.worker.pipeline, self.held, self.offsets, delivery, observer, clocks)

    async def assign(self, *partitions: int) -> None:
        """What the group gives to the worker from now on."""
        self.processor.begin(self.generation)
        await self.held.recover(await self.held.keep(partitions, self.generation))
        self.offsets.ledger.forget(self.offsets.ledger.owned())
        self.offsets.ledger.own(
            [(topic.name, partition) for topic in INPUTS for partition in partitions], self.generation
        )

    def feed(self, *inputs: Input) -> None:
        """Fetch these inputs."""
        for fetched in self.worker.fetches(inputs):
            self.processor.feed(replace(fetched, generation=self.generation))

    async def step(self, *inputs: Input) -> list[Delivery]:
        """Fetch these inputs, have them processed as far as that goes; what was sent meanwhile."""
        before = len(self.broker.taken)
        self.feed(*inputs)
        await settle()
        return self.broker.taken[before:]

    async def finish(self, *deliveries: Delivery) -> None:
        """Acknowledge a step's outputs, and the changelog records that follow."""
        before = len(self.broker.taken)
        for delivery in deliveries:
            delivery.acknowledge()
        await settle()
        for delivery in self.broker.taken[before:]:
            if delivery.topic == CHANGELOG:
                delivery.acknowledge()
        await settle()

    def changelog(self) -> list[Delivery]:
        """What was sent to the changelog so far."""
        return [delivery for delivery in self.broker.taken if delivery.topic == CHANGELOG]

    def unanswered_changelog(self) -> list[Delivery]:
        """Transactions that are under way."""
        return [delivery for delivery in self.changelog() if not delivery.answer.done()]

    def committed(self) -> int:
        """The latest offset that was committed, 0 for none; offsets never go back."""
        ends = [offset for _, offset, _ in self.offsets.marked]
        assert ends == sorted(ends)
        return max(ends, default=0)

    def stored(self, partition: int) -> list[bytes]:
        """Keys in the local store."""
        return [key for keys, _ in self.held.stores[partition].scan() for key in keys]

    def _give_up(self) -> None:
        self.given_up += 1

    async def _recover(self, partitions: Collection[int]) -> tuple[dict[int, PartitionStore], RecoveryReport]:
        return {partition: self.stores.open(partition) for partition in partitions}, RecoveryReport((), 0.0)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[tuple[Engine, "asyncio.Task[None]"]]:
    """An engine that holds both partitions, and its running loop."""
    engine = Engine(folder)
    await engine.assign(0, 1)
    running = asyncio.create_task(engine.processor.run())
    try:
        yield engine, running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await running
        await engine.held.close()


async def settle() -> None:
    """Until every task waits for something from outside."""
    for _ in range(50):
        await asyncio.sleep(0)
