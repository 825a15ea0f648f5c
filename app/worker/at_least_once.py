"""At least once: first the broker has every output, then the changelog, then the local store, then offsets may move.

The changelog waits for the outputs because rows remember what was scored: a row that is recovered while outputs of its
events are missing would have them taken for repetitions, and never sent. If delivery fails nothing is marked, and the
worker ends.

A worker that slept through its session sends no more rows: whoever took its partitions over has newer ones, and the
latest in the changelog counts. It gives the work up and joins the group anew; outputs it sent by then come twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from app.kafka.producer import Send
from app.state.columns import Change
from app.state.held import HeldPartitions
from app.state.held import Work as Tenure
from app.worker.delivery import Clocks, Group, Offsets, Step
from app.worker.observer import Observer

STEPS_IN_FLIGHT = 4

log = structlog.get_logger(__name__)

_Sent = list[Awaitable[int]]
_Logged = dict[int, Awaitable[int]]


class Sender(Protocol):
    """What hands records to the broker, in order per partition; see ``app.kafka.producer.Producer``."""

    async def send_records(self, send: Send) -> Awaitable[int]:
        """Returns what resolves, once all are acknowledged, to the offset after the last."""
        ...


class AtLeastOnce:
    """Sends steps one behind the other; see ``app.worker.delivery.Delivery``.

    Args:
        held: the partitions whose rows this worker holds, with their local stores.
        offsets: of the consumer.
        sender: to the broker.
        changelog: name of the changelog topic.
        observer: told of every step that is durable.
        clocks: the time.
        group: the consumer group.
    """

    def __init__(
        self,
        held: HeldPartitions,
        offsets: Offsets,
        sender: Sender,
        changelog: str,
        observer: Observer,
        clocks: Clocks,
        group: Group,
    ) -> None:
        self._held = held
        self._offsets = offsets
        self._sender = sender
        self._changelog = changelog
        self._observer = observer
        self._clocks = clocks
        self._group = group
        self._void: set[Tenure] = set()  # of steps whose rows were not sent: all that follow them count no more
        self._room = asyncio.Semaphore(STEPS_IN_FLIGHT)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._latest: asyncio.Task[None] | None = None
        self._latest_sent: asyncio.Task[_Sent] | None = None
        self._latest_logged: asyncio.Task[_Logged] | None = None
        self.on_change: Callable[[], None] = lambda: None

    async def room(self) -> None:
        """Until a step more may be in flight.

        Raises:
            DeliveryFailed, RecordTooLarge: a step could not be made durable.
        """
        async with self._room:
            self._raise_failure()

    async def deliver(self, step: Step) -> None:
        """Send a step's outputs, in order after those of the steps before; its changelog records follow."""
        await self._room.acquire()
        self._latest_sent = asyncio.create_task(self._send(step, self._latest_sent))
        self._latest_logged = asyncio.create_task(self._log(step, self._latest_sent, self._latest_logged))
        self._latest = task = asyncio.create_task(self._make_durable(step, self._latest_logged, self._latest))
        self._in_flight.add(task)
        task.add_done_callback(self._done)

    async def drain(self) -> None:
        """Until every step in flight is durable; after a failure it waits for nothing more than the others' end."""
        while pending := [task for task in self._in_flight if not task.done()]:
            await asyncio.wait(pending)

    async def _send(self, step: Step, before: "asyncio.Task[_Sent] | None") -> _Sent:
        """Hand a step's outputs over, after those of the step before; that waits while a partition is being sent."""
        if before is not None:
            await before
        now_ms = self._clocks.now_ms()
        return [
            await self._sender.send_records(Send(out.topic, out.partition, now_ms, out.keys, out.values, out.headers))
            for out in step.work.outgoing
        ]

    async def _log(self, step: Step, sent: "asyncio.Task[_Sent]", before: "asyncio.Task[_Logged] | None") -> _Logged:
        """Once a step's outputs are acknowledged send its changelog records, after those of the step before."""
        await asyncio.gather(*await sent)
        if before is not None:
            await before
        if not self._group.is_member():
            self._give_up(step)
        now_ms = self._clocks.now_ms()
        return {
            each.partition: await self._sender.send_records(
                Send(self._changelog, each.partition, now_ms, each.keys, each.values)
            )
            for each in step.work.changes
            if self._counts(step.tenures[each.partition])  # else it would overwrite another worker's rows
        }

    def _counts(self, tenure: Tenure) -> bool:
        return tenure not in self._void and self._held.holds(tenure)

    def _give_up(self, step: Step) -> None:
        """Leave it unfinished in ``held``, so that the next assignment reads its partitions back."""
        log.warning("not heard of by the group for a session: partitions are read back", partitions=[*step.tenures])
        self._void = {tenure for tenure in self._void if self._held.holds(tenure)} | set(step.tenures.values())
        self._group.rejoin()

    async def _make_durable(
        self, step: Step, logged: "asyncio.Task[_Logged]", before: asyncio.Task[None] | None
    ) -> None:
        ends = {partition: await delivery for partition, delivery in (await logged).items()}
        if before is not None:
            await before
        changes = {change.partition: change for change in step.work.changes}
        # A partition that was read back meanwhile is read again: its rows were not sent, so its offsets stay.
        kept = [partition for partition, tenure in step.tenures.items() if self._counts(tenure)]
        for partition in kept:
            change = changes.get(partition, Change(partition, [], []))
            self._held.write(step.tenures[partition], change.keys, change.values, ends.get(partition))
        for tp, offset in step.work.next_offsets.items():
            if tp[1] in kept:
                self._offsets.mark_durable(tp, offset, step.generation)
        self._observer.durable(step.work, step.computing, self._clocks.monotonic() - step.computed_at)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._room.release()
        if task.cancelled() or task.exception() is None:
            self._in_flight.discard(task)
        self.on_change()

    def _raise_failure(self) -> None:
        for task in self._in_flight:
            if task.done() and (error := task.exception()):
                raise error
