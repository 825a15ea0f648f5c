"""The loop of a worker: step over what came in, send what it yields, and when that is durable, say so.

Steps are computed one after another; while one is being delivered the next is computed. What is durable is marked in
the order of the steps: first the broker has every output, then the changelog, then the local store is written, then
the input offsets may be committed. If delivery fails nothing is marked, and the worker ends.

The changelog waits for the outputs because rows remember what was scored: a row that is recovered while outputs of its
events are missing would have them taken for repetitions, and never sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from app.kafka.fetched import Fetched, Partition
from app.pipeline import Pipeline, Work
from app.state.held import HeldPartitions, PartitionLost
from app.state.held import Work as Tenure
from app.worker.observer import Observer

STEPS_IN_FLIGHT = 4
_LOOK_AGAIN_S = 0.005  # while records wait for a lag to become known


class Sender(Protocol):
    """What hands records to the broker, in order per partition; see ``app.kafka.producer.Producer``."""

    async def send_records(
        self,
        topic: str,
        partition: int,
        timestamp: int,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[bytes] | None = None,
    ) -> Awaitable[int]:
        """Returns what resolves, once all are acknowledged, to the offset after the last."""
        ...


class Offsets(Protocol):
    """What the worker's consumer knows of its partitions; see ``app.kafka.consumer.Consumer``."""

    def lag(self, tp: Partition, received: int | None = None) -> int | None:
        """Records the broker has and the application has not."""
        ...

    def mark_durable(self, tp: Partition, next_offset: int, generation: int | None) -> None:
        """Inputs below ``next_offset`` may be committed."""
        ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds on a monotonic clock, and ms since the epoch."""

    monotonic: Callable[[], float]
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """A step on its way: acknowledgements to come, and by partition the local work they belong to."""

    work: Work
    outputs: list[Awaitable[int]]
    tenures: dict[int, Tenure]
    generation: int | None
    computing: float  # seconds it took
    computed_at: float


class Processor:
    """Drives a pipeline.

    Args:
        pipeline: the path.
        held: the partitions whose rows this worker holds, with their local stores.
        offsets: of the consumer.
        sender: to the broker.
        changelog: name of the changelog topic.
        observer: told of every step.
        clocks: the time.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        held: HeldPartitions,
        offsets: Offsets,
        sender: Sender,
        changelog: str,
        observer: Observer,
        clocks: Clocks,
    ) -> None:
        self._pipeline = pipeline
        self._held = held
        self._offsets = offsets
        self._sender = sender
        self._changelog = changelog
        self._observer = observer
        self._clocks = clocks
        self._received: dict[Partition, int] = {}
        self._generation: int | None = None
        self._fed = asyncio.Event()
        self._room = asyncio.Semaphore(STEPS_IN_FLIGHT)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._latest: asyncio.Task[None] | None = None
        self._latest_logged: asyncio.Task[dict[int, Awaitable[int]]] | None = None
        self._draining = False
        self._stepping = asyncio.Lock()

    def begin(self, generation: int) -> None:
        """Partitions were assigned, perhaps the same ones in the same generation: what waits will be fetched again."""
        self._forget_waiting()
        self._generation = generation
        self._draining = False

    def feed(self, fetched: Fetched) -> None:
        """Take in a fetched batch; the loop goes on with it. What is of an earlier assignment is left out."""
        if self._generation is None or fetched.generation > self._generation:
            self.begin(fetched.generation)
        if self._draining or fetched.generation != self._generation or fetched.partition not in self._held.stores:
            return
        self._pipeline.feed(fetched)
        self._received[fetched.tp] = fetched.next_offset
        self._fed.set()

    async def run(self) -> None:
        """Step for ever.

        Raises:
            DeliveryFailed, RecordTooLarge: a step could not be made durable; the worker must end.
        """
        while True:
            self._raise_failure()
            await self._room.acquire()
            async with self._stepping:
                sent = self._step()
                if sent is not None:
                    await self._deliver(sent)
            if sent is None:
                self._room.release()
                await self._wait()

    async def drain(self) -> None:
        """Stop stepping, and wait until what was stepped is durable; what waits is forgotten, to be fetched again.

        After a failed delivery it waits for nothing: what became durable before may be committed, and ``run`` raises.
        """
        self._draining = True
        self._forget_waiting()
        async with self._stepping:
            pass  # a step that is being sent is in flight after that
        while pending := [task for task in self._in_flight if not task.done()]:
            await asyncio.wait(pending)

    def lag(self, tp: Partition) -> int | None:
        """Records of ``tp`` that the broker has and the pipeline has not; None while that is unknown."""
        return self._offsets.lag(tp, self._received.get(tp))

    def _forget_waiting(self) -> None:
        self._pipeline.forget_waiting()
        self._received.clear()

    def _step(self) -> _Sent | None:
        """Compute a step. Its partitions are held from here on: no other task has run since their rows changed."""
        if self._draining:
            return None
        started = self._clocks.monotonic()
        work = self._pipeline.work(self.lag, started, self._clocks.now_ms())
        if work is None:
            return None
        computed_at = self._clocks.monotonic()
        self._observer.stepped(work, computed_at - started)
        tenures = {change.partition: self._held.begin(change.partition) for change in work.changes}
        return _Sent(work, [], tenures, self._generation, computed_at - started, computed_at)

    async def _wait(self) -> None:
        """Until there is new data, or what waits may have become ready without any."""
        wait = self._pipeline.wait(self.lag, self._clocks.monotonic())
        if wait is None and self._pipeline.waiting:
            wait = _LOOK_AGAIN_S
        try:
            async with asyncio.timeout(wait):
                await self._fed.wait()
        except TimeoutError:
            return
        self._fed.clear()

    async def _deliver(self, sent: _Sent) -> None:
        """Send a step's outputs, in order after those of the steps before; its changelog records follow."""
        send, now_ms = self._sender.send_records, self._clocks.now_ms()
        for out in sent.work.outgoing:
            sent.outputs.append(await send(out.topic, out.partition, now_ms, out.keys, out.values, out.headers))
        self._latest_logged = asyncio.create_task(self._log(sent, self._latest_logged))
        self._latest = task = asyncio.create_task(self._make_durable(sent, self._latest_logged, self._latest))
        self._in_flight.add(task)
        task.add_done_callback(self._done)

    async def _log(
        self, sent: _Sent, before: "asyncio.Task[dict[int, Awaitable[int]]] | None"
    ) -> dict[int, Awaitable[int]]:
        """Once a step's outputs are acknowledged send its changelog records, after those of the step before."""
        await asyncio.gather(*sent.outputs)
        if before is not None:
            await before
        send, now_ms = self._sender.send_records, self._clocks.now_ms()
        return {
            each.partition: await send(self._changelog, each.partition, now_ms, each.keys, each.values)
            for each in sent.work.changes
            if self._held.holds(sent.tenures[each.partition])  # else it would overwrite another worker's rows
        }

    async def _make_durable(
        self, sent: _Sent, logged: "asyncio.Task[dict[int, Awaitable[int]]]", before: asyncio.Task[None] | None
    ) -> None:
        ends = {partition: await delivery for partition, delivery in (await logged).items()}
        if before is not None:
            await before
        for change in sent.work.changes:
            with suppress(PartitionLost):
                end = ends.get(change.partition)
                self._held.write(sent.tenures[change.partition], change.keys, change.values, end)
        for tp, offset in sent.work.next_offsets.items():
            self._offsets.mark_durable(tp, offset, sent.generation)
        self._observer.durable(sent.work, sent.computing, self._clocks.monotonic() - sent.computed_at)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._room.release()
        if task.cancelled() or task.exception() is None:
            self._in_flight.discard(task)
        self._fed.set()

    def _raise_failure(self) -> None:
        for task in self._in_flight:
            if task.done() and (error := task.exception()):
                raise error
