"""Exactly once: a transaction carries outputs and changelog, input offsets among it; the local store follows it.

Each partition commits by itself, so commits overlap. While one is under way steps gather behind it, and the next
transaction takes them all: a busy worker makes few large ones. Of rows that several of those steps changed, only the
last goes into the changelog.

A transaction that fails may have been committed or not. So its partition is given up at once, with everything that
waits behind it, and read back: from the changelog, behind a new producer that has fenced the old one. The state then
says which input it includes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from app.kafka.producer import RecordTooLarge, Send
from app.state.held import HeldPartitions, PartitionLost
from app.worker.delivery import Clocks, Offsets, Step
from app.worker.gathered import gathered_outputs, latest_rows, next_offsets
from app.worker.observer import Observer

STEPS_IN_FLIGHT = 64
RECORDS_IN_FLIGHT = 32_768
"""Of a backlog: beyond that steps would find their outputs still waiting for the connection, and get smaller."""
_SLOW_S = 5.0
HOPELESS = (
    RecordTooLarge,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""What no repetition mends: the worker must end, and somebody must see to it."""

log = structlog.get_logger(__name__)


class Transactional(Protocol):
    """Commits the work of one partition; see ``app.kafka.transactions.TransactionalProducer``."""

    async def commit(self, sends: Sequence[Send]) -> list[int]:
        """Write records together; tells the offset after each part's last record."""
        ...

    async def stop(self) -> None:
        """Close it."""
        ...


class Producers(Protocol):
    """Makes them; see ``app.kafka.transactions.TransactionalProducers``."""

    async def start(self, partitions: Collection[int]) -> Mapping[int, Transactional]:
        """Producers that have fenced whoever wrote for the partitions before."""
        ...


@dataclass(eq=False)
class _InFlight:
    """A step, and the partitions in which it is not committed yet."""

    step: Step
    partitions: set[int]


@dataclass(eq=False)
class _Lane:
    """One partition's producer, and the steps that wait for its next transaction."""

    producer: Transactional
    waiting: deque[_InFlight] = field(default_factory=deque)
    committing: asyncio.Task[None] | None = None


class ExactlyOnce:
    """See ``app.worker.delivery.Delivery``.

    ``linger_s`` is for how many seconds steps gather before each transaction, beside the time the one before takes.

    Args:
        held: the partitions whose rows this worker holds, with their local stores.
        offsets: of the consumer.
        producers: make a producer for each partition that is taken over.
        changelog: name of the changelog topic.
        observer: told of every step that is durable.
        clocks: the time.
        give_up: called when partitions must be given up and taken back: the state in memory is of no use.
    """

    linger_s = 0.0

    def __init__(
        self,
        held: HeldPartitions,
        offsets: Offsets,
        producers: Producers,
        changelog: str,
        observer: Observer,
        clocks: Clocks,
        give_up: Callable[[], None],
    ) -> None:
        self._held = held
        self._offsets = offsets
        self._producers = producers
        self._changelog = changelog
        self._observer = observer
        self._clocks = clocks
        self._give_up = give_up
        self.on_change: Callable[[], None] = lambda: None
        self._lanes: dict[int, _Lane] = {}
        self._steps = self._records = 0
        self._changed = asyncio.Event()
        self._failure: Exception | None = None

    async def take_over(self, held: Collection[int], new: Collection[int]) -> None:
        """Go on with the partitions ``held`` and begin those that are ``new``; all others are over.

        When it returns no other worker can write for the new ones.
        """
        over = {partition: lane for partition, lane in self._lanes.items() if partition not in held}
        for partition in over:
            del self._lanes[partition]
        await asyncio.gather(*(self._close(partition, lane) for partition, lane in over.items()))
        for partition, producer in (await self._producers.start(new)).items():
            self._lanes[partition] = _Lane(producer)

    async def room(self) -> None:
        """Until a step more may be in flight.

        Raises:
            Exception: one of ``HOPELESS``.
        """
        while self._is_full() and self._failure is None:
            self._changed.clear()
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure

    async def deliver(self, step: Step) -> None:
        """Let a step wait for the next transaction of each of its partitions."""
        self._begin(step)
        self._enter(step)

    def _is_full(self) -> bool:
        return self._steps >= STEPS_IN_FLIGHT or self._records >= RECORDS_IN_FLIGHT

    def _begin(self, step: Step) -> None:
        self._steps += 1
        self._records += step.work.records

    def _enter(self, step: Step) -> None:
        entry = _InFlight(step, set(step.tenures))
        for partition, tenure in step.tenures.items():
            lane = self._lanes.get(partition)
            if lane is None or not self._held.holds(tenure):  # it failed: to be read back, or was
                self._leave(entry, partition)
                continue
            lane.waiting.append(entry)
            if lane.committing is None:
                lane.committing = asyncio.create_task(self._commit_all(partition, lane))

    async def drain(self) -> None:
        """Until nothing waits for a transaction, or for the end of one."""
        while running := [lane.committing for lane in self._lanes.values() if lane.committing is not None]:
            await asyncio.wait(running)

    async def _commit_all(self, partition: int, lane: _Lane) -> None:
        try:
            while lane.waiting:
                if self.linger_s:
                    await asyncio.sleep(self.linger_s)
                with _told_if_slow(partition):
                    await self._commit(partition, lane)
        except Exception as error:
            await self._fail(partition, lane, error)
        finally:
            lane.committing = None

    async def _commit(self, partition: int, lane: _Lane) -> None:
        """One transaction, of all steps that wait."""
        entries = list(lane.waiting)
        steps = [entry.step for entry in entries]
        change = latest_rows(partition, steps)
        sends = self._outputs(partition, steps)
        if change.keys:
            sends.append(Send(self._changelog, partition, self._clocks.now_ms(), change.keys, change.values))
        ends = await lane.producer.commit(sends) if sends else []
        if self._lanes.get(partition) is not lane:
            raise PartitionLost(f"partition {partition} was given away while a transaction of it was being committed")
        self._held.write(steps[0].tenures[partition], change.keys, change.values, ends[-1] if change.keys else None)
        for step in steps[1:]:
            self._held.write(step.tenures[partition], [], [], None)
        for tp, offset in next_offsets(partition, steps).items():
            self._offsets.mark_durable(tp, offset, steps[-1].generation)
        for entry in entries:
            lane.waiting.popleft()
            self._leave(entry, partition, committed=True)

    def _outputs(self, partition: int, steps: Sequence[Step]) -> list[Send]:
        """The outputs that go into the transaction."""
        return gathered_outputs(partition, steps, self._clocks.now_ms())

    async def _fail(self, partition: int, lane: _Lane, error: Exception) -> None:
        """Give the partition up. Its work stays unfinished in ``held``, so that the next assignment reads it back."""
        for entry in lane.waiting:
            self._leave(entry, partition)
        lane.waiting.clear()
        if self._lanes.get(partition) is not lane:
            return
        del self._lanes[partition]
        if isinstance(error, HOPELESS) or isinstance(error.__cause__, HOPELESS):
            self._end(error)
        else:
            log.warning("a transaction failed: its partition is read back", partition=partition, reason=repr(error))
            self._give_up()
            self._wake()
        await lane.producer.stop()

    def _end(self, error: Exception) -> None:
        """The worker cannot go on."""
        self._failure = self._failure or error
        self._wake()

    def _leave(self, entry: _InFlight, partition: int, committed: bool = False) -> None:
        """A step has left one of its partitions; once it has left them all, it is no longer in flight."""
        entry.partitions.discard(partition)
        if not entry.partitions:
            step = entry.step
            self._steps -= 1
            self._records -= step.work.records
            if committed:
                self._observer.durable(step.work, step.computing, self._clocks.monotonic() - step.computed_at)
            self._wake()

    async def _close(self, partition: int, lane: _Lane) -> None:
        if lane.committing is not None:
            lane.committing.cancel()
            await asyncio.wait([lane.committing])
        while lane.waiting:
            self._leave(lane.waiting.popleft(), partition)
        await lane.producer.stop()

    def _wake(self) -> None:
        self._changed.set()
        self.on_change()


@contextmanager
def _told_if_slow(partition: int) -> Iterator[None]:
    """Say so if the block takes long: nothing is wrong here, but perhaps with the broker."""
    tell = partial(log.warning, "a transaction is still not committed", partition=partition, seconds=_SLOW_S)
    alarm = asyncio.get_running_loop().call_later(_SLOW_S, tell)
    try:
        yield
    finally:
        alarm.cancel()
