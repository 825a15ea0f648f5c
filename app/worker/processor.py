"""The loop of a worker: step over what came in, and hand over what it yields to be made durable.

Steps are computed one after another; while some are being delivered the next is computed. When offsets move, and what
happens if that fails, is the delivery's: see ``app.worker.exactly_once`` and ``app.worker.at_least_once``.
"""

import asyncio

from app.kafka.fetched import Fetched, Partition
from app.pipeline import Pipeline
from app.state.held import HeldPartitions
from app.worker.delivery import Clocks, Delivery, Offsets, Step
from app.worker.observer import Observer

_QUIET_TURNS = 4  # of the event loop: a piece takes two or three from the consumer to here
_MOST_TURNS = 64  # however fast more comes in
_LOOK_AGAIN_S = 0.005  # while records wait for a lag to become known


class Processor:
    """Drives a pipeline.

    Args:
        pipeline: the path.
        held: the partitions whose rows this worker holds, with their local stores.
        offsets: of the consumer.
        delivery: makes steps durable.
        observer: told of every step.
        clocks: the time.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        held: HeldPartitions,
        offsets: Offsets,
        delivery: Delivery,
        observer: Observer,
        clocks: Clocks,
    ) -> None:
        self._pipeline = pipeline
        self._held = held
        self._offsets = offsets
        self._delivery = delivery
        self._observer = observer
        self._clocks = clocks
        self._received: dict[Partition, int] = {}
        self._generation: int | None = None
        self._fed = asyncio.Event()
        self._draining = False
        self._stepping = asyncio.Lock()
        delivery.on_change = self._fed.set

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

    def wake(self) -> None:
        """Look again: what waits may have become ready, without any new data."""
        self._fed.set()

    async def run(self) -> None:
        """Step for ever.

        Raises:
            Exception: a step can never be made durable; the worker must end.
        """
        while True:
            await self._rest_of_fetch()
            await self._delivery.room()  # after it: what fails from here on wakes the wait below
            async with self._stepping:
                step = self._step()
                if step is not None:
                    await self._delivery.deliver(step)
            if step is None:
                await self._wait()

    async def drain(self) -> None:
        """Stop stepping, and wait until what was stepped is durable; what waits is forgotten, to be fetched again."""
        self._draining = True
        self._forget_waiting()
        async with self._stepping:
            pass  # a step that is being handed over is in flight after that
        await self._delivery.drain()

    def lag(self, tp: Partition) -> int | None:
        """Records of ``tp`` that the broker has and the pipeline has not; None while that is unknown."""
        return self._offsets.lag(tp, self._received.get(tp))

    def _forget_waiting(self) -> None:
        self._pipeline.forget_waiting()
        self._received.clear()

    def _step(self) -> Step | None:
        """Compute a step. Its partitions are held from here on: no other task has run since their rows changed."""
        if self._draining:
            return None
        started = self._clocks.monotonic()
        work = self._pipeline.work(self.lag, started, self._clocks.now_ms())
        if work is None:
            return None
        computed_at = self._clocks.monotonic()
        self._observer.stepped(work, computed_at - started)
        partitions = {partition for _, partition in work.next_offsets}
        tenures = {partition: self._held.begin(partition) for partition in sorted(partitions)}
        return Step(work, tenures, self._generation, computed_at - started, computed_at)

    async def _rest_of_fetch(self) -> None:
        """Let the other partitions of the same fetch come in: a step of each would cost as much as one of all."""
        quiet = 0
        for _ in range(_MOST_TURNS):
            quiet = 0 if self._fed.is_set() else quiet + 1
            if quiet > _QUIET_TURNS:
                return
            self._fed.clear()
            await asyncio.sleep(0)

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
