"""The fan-out over Kafka, for the partitions that a worker has: they come and go with the group's assignment.

Nothing is committed: what is written follows from the inputs, and the topic of the asks says how far it has come. A
partition that comes is taken over and brought back while the others go on, see `app.fanout.takeover`. Whatever the
broker does, the service waits and begins anew from what the topic has; it never ends by itself.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from app.fanout import snapshot
from app.fanout.clients import Clients, Topics, ensure_topics
from app.fanout.joiner import Joiners
from app.fanout.messages import TAKES_OVER, AnswerBatch, AskBatch, BadMessage, come_back
from app.fanout.parts import MOST_WAITING, STEP_RECORDS, FanOutParts, Message
from app.fanout.recovery import taken_down
from app.fanout.sending import Sending
from app.fanout.takeover import Takeover, Taking
from app.kafka.fetched import Fetched
from app.kafka.topics import TopicError
from app.ops.metrics import Metrics
from app.velocity.definitions import Velocity
from app.velocity.entities import ENTITIES
from app.velocity.stream import TURNS

_POLL_MS = 10
_BEGIN_AGAIN_S = 1.0
_LOOK_EVERY_S = 1.0
_SNAPSHOT_EVERY_S = 300.0

log = structlog.get_logger(__name__)

OnJoined = Callable[[Collection[int]], None]
"""Told the partitions of which something was asked or answered."""


@dataclass(frozen=True, slots=True)
class FanOutOptions:
    """What a worker's fan-out is: ``partitions`` of all topics, the ``group`` whose topics it uses, the ``folder`` of
    its snapshots."""

    broker: str
    group: str
    partitions: int
    folder: Path


class FanOut:
    """Runs the parts of the assigned partitions in this process.

    Args:
        options: of this worker.
        velocities: what can be wanted, and is at first.
        joiners: where orders meet their answers.
        on_joined: told of what has come to them.
        metrics: told of what is asked and answered.
    """

    def __init__(
        self,
        options: FanOutOptions,
        velocities: Sequence[Velocity],
        joiners: Joiners,
        on_joined: OnJoined,
        metrics: Metrics,
    ) -> None:
        self._options, self._joiners, self._on_joined, self._metrics = options, joiners, on_joined, metrics
        self._velocities = tuple(velocities)
        self._used = self._velocities
        self._topics = Topics(options.group)
        self._assigned: dict[int, int] = {}
        self._changed = asyncio.Event()
        self._begin_empty()

    def assign(self, committed: Mapping[int, int]) -> None:
        """Partitions have come, each with the offset of the first order that is not decided yet."""
        self._assigned |= committed
        self._changed.set()

    def revoke(self, partitions: Collection[int]) -> None:
        """Partitions have gone."""
        for number in partitions:
            self._assigned.pop(number, None)
        self._changed.set()

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Ask for these from now on, of those that can be wanted."""
        self._used = tuple(velocities)
        self.parts.use(self._used)

    async def run(self) -> None:
        """Go on until cancelled. What is known is then put into snapshots."""
        while True:
            try:
                await ensure_topics(self._options.broker, self._topics, self._options.partitions)
                async with Clients.running(self._options.broker) as clients:
                    await self._serve(clients)
            except (KafkaError, TopicError, OSError, TimeoutError) as error:
                log.warning("velocities begin anew: the broker failed them", reason=repr(error))
                self._metrics.velocity_restarted()
                self._begin_empty()
            await asyncio.sleep(_BEGIN_AGAIN_S)

    def _begin_empty(self) -> None:
        self.parts = FanOutParts((), self._options.partitions, self._velocities, self._joiners)
        self.parts.use(self._used)
        self._received: dict[TopicPartition, int] = {}
        self._takeovers: dict[int, asyncio.Task[Takeover]] = {}
        self._superseded: set[int] = set()
        self._told_here: set[tuple[int, int]] = set()  # by partition that asks and owner
        self._lags: dict[TopicPartition, int | None] = {}
        self._snapshot_at: dict[int, float] = {}
        self._counted = (0, 0, 0)
        self._looked_at = 0.0
        self._changed.set()

    async def _serve(self, clients: Clients) -> None:
        taking = Taking(clients, self._topics, self.parts, self._options.folder, self._metrics)
        sending = Sending(clients.producer, self._topics)
        try:
            while True:
                if self._changed.is_set() or any(task.done() for task in self._takeovers.values()):
                    self._changed.clear()
                    await self._rearrange(clients, taking, sending)
                await self._turn(clients, sending)
                await self._look(sending)
        except asyncio.CancelledError:
            for number in list(self.parts.partitions):
                await self._leave(number, sending)
            raise
        finally:
            await self._cancel(list(self._takeovers))

    async def _rearrange(self, clients: Clients, taking: Taking, sending: Sending) -> None:
        """Leave what has gone, take over what has come, and begin with what is back."""
        for number in self._superseded & self.parts.partitions.keys():
            self._forget(number)
        self._superseded.clear()
        for number in self.parts.partitions.keys() - self._assigned.keys():
            await self._leave(number, sending)
        await self._cancel([*(self._takeovers.keys() - self._assigned.keys())])
        for number in [number for number, task in self._takeovers.items() if task.done()]:
            await self._begin(self._takeovers.pop(number).result(), sending)
        for number in self._assigned.keys() - self.parts.partitions.keys() - self._takeovers.keys():
            joiner = self._joiners.of(number)
            self._takeovers[number] = asyncio.create_task(taking.take(number, self._assigned[number], joiner))
        clients.read(self._received)

    async def _cancel(self, numbers: Collection[int]) -> None:
        tasks = [self._takeovers.pop(number) for number in numbers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for number in numbers:
            self.parts.forget(number)

    async def _begin(self, taken: Takeover, sending: Sending) -> None:
        number = taken.recovering.number
        self._received |= taken.positions(self._topics)
        again = taken.recovering.finish(taken.epoch)
        self._joiners.of(number).asked_to = taken.recovering.resume.orders
        self._snapshot_at[number] = time.monotonic()
        self._hear(taken.recovering.answers)
        await self._send([*again, *taken.recovering.answers], sending)
        self._on_joined([number])

    async def _leave(self, number: int, sending: Sending) -> None:
        """Put what is known of a partition into its snapshot, and forget it."""
        await self._take_down(number, sending)
        self._forget(number)

    def _forget(self, number: int) -> None:
        self.parts.stop(number)
        self.parts.forget(number)
        self._received = {tp: offset for tp, offset in self._received.items() if tp.partition != number}
        self._told_here = {pair for pair in self._told_here if number not in pair}

    async def _take_down(self, number: int, sending: Sending) -> None:
        """Write a partition's snapshot, once the topic has all that it includes."""
        await sending.flush()
        self.parts.confirmed |= sending.confirmed()
        taken = taken_down(self.parts, number, self._received[TopicPartition(self._topics.asks, number)])
        self._snapshot_at[number] = time.monotonic()
        try:
            await asyncio.to_thread(snapshot.write, snapshot.path(self._options.folder, number), taken)
        except OSError as error:
            log.warning("a snapshot of velocities was not written", partition=number, reason=str(error))

    async def _turn(self, clients: Clients, sending: Sending) -> None:
        if not self._received:
            await asyncio.sleep(_POLL_MS / 1000)
            return
        fetched = await clients.consumer.getmany(timeout_ms=_POLL_MS, max_records=STEP_RECORDS)
        asks: dict[int, list[tuple[int, bytes]]] = {}
        changed: set[int] = set()
        for tp, records in fetched.items():
            self._received[tp] = await clients.consumer.position(tp)
            if tp.topic == self._topics.asks:
                asks[tp.partition] = self._asks_of_others(tp.partition, records)
                continue
            changed.add(tp.partition)
            part = self.parts.partitions[tp.partition]
            if tp.topic in TURNS:
                part.feed(_fetched(tp, records))
            else:
                part.receive(self._answers(records))
        self._lags = {tp: self._lag_of(clients, tp) for tp in self._received if tp.topic in TURNS}
        changed |= await self._exchange(asks, sending)
        if changed:
            self._on_joined(changed)
        self._throttle(clients)

    async def _exchange(self, asks: dict[int, list[tuple[int, bytes]]], sending: Sending) -> set[int]:
        """Ask about what came in, and answer what was asked: what stays in this process does not wait for the topic.

        Returns:
            The partitions of which something was asked or answered here.
        """
        self.parts.confirmed |= sending.confirmed()
        now_ms = time.time_ns() // 1_000_000
        messages = self.parts.asks(self._lag, time.monotonic())
        for message in messages:
            if self._is_told_here(message.source, message.partition, sending):
                asks.setdefault(message.partition, []).append((now_ms, message.value))
        answers = self.parts.answers(asks, now_ms)
        self._hear(answers)
        await self._send([*messages, *self.parts.records(), *answers], sending)
        told = {message.source for message in messages} | {message.partition for message in answers}
        return told & self.parts.partitions.keys()

    def _is_told_here(self, source: int, owner: int, sending: Sending) -> bool:
        """Whether an owner in this process is told at once what a partition of it asks, before the topic has it.

        That begins when it has read, from the topic, all that was asked before.
        """
        if (source, owner) in self._told_here:
            return True
        merger, mine = self.parts.owners.mergers.get(owner), self.parts.partitions
        if merger is None or owner not in mine or merger.epoch(source) != self.parts.epochs[source]:
            return False
        if not sending.is_read(source, owner, self._received[TopicPartition(self._topics.asks, owner)]):
            return False
        self._told_here.add((source, owner))
        return True

    def _hear(self, answers: Sequence[Message]) -> None:
        """Let the orders of this process meet their answers at once."""
        for message in answers:
            if (part := self.parts.partitions.get(message.partition)) is not None:
                part.receive([message.value])

    async def _send(self, messages: Sequence[Message], sending: Sending) -> None:
        mine = self.parts.partitions
        await sending.send([each for each in messages if each.lasting or each.partition not in mine])

    def _asks_of_others(self, owner: int, records: Sequence[ConsumerRecord]) -> list[tuple[int, bytes]]:
        """What an owner has not been told in this process already."""
        found = []
        for record in records:
            try:
                batch = AskBatch.decoded(record.value)
            except BadMessage as problem:
                self._left_out(record, problem)
                continue
            epoch = record.offset if batch.epoch == TAKES_OVER else batch.epoch
            own = self.parts.epochs.get(batch.source)
            if own is not None and epoch > own:
                log.warning("another worker has taken the partition over", partition=batch.source)
                self._superseded.add(batch.source)
                self._changed.set()
            if epoch != own or (batch.source, owner) not in self._told_here:
                found.append((record.timestamp, record.value))
        return found

    def _answers(self, records: Sequence[ConsumerRecord]) -> list[bytes]:
        """Those that can be read; what a partition noted for whoever takes it over is not for this one."""
        found = []
        for record in records:
            try:
                if isinstance(come_back(record.value), AnswerBatch):
                    found.append(record.value)
            except BadMessage as problem:
                self._left_out(record, problem)
        return found

    def _left_out(self, record: ConsumerRecord, problem: BadMessage) -> None:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        log.warning("a message about velocities is left out", place=place, reason=str(problem))
        self._metrics.velocity_unreadable()

    async def _look(self, sending: Sending) -> None:
        """Tell the metrics, and write a snapshot that is due."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        parts, metrics = self.parts, self._metrics
        counted = (parts.asked, parts.answered, parts.owners.late)
        metrics.velocities(*(new - old for new, old in zip(counted, self._counted, strict=True)))
        self._counted = counted
        metrics.velocity_waiting(sum(part.joiner.waiting for part in parts.partitions.values()))
        logs = [parts.askers.users.logs, *(kind.logs for kind in parts.owners.kinds[1:])]
        metrics.velocity_entities({name: (len(own), own.entries) for name, own in zip(ENTITIES, logs, strict=True)})
        due = [number for number in parts.partitions if now - self._snapshot_at[number] >= _SNAPSHOT_EVERY_S]
        for number in due[:1]:
            await self._take_down(number, sending)

    def _throttle(self, clients: Clients) -> None:
        """Read no more input of a partition while much of it waits."""
        paused = clients.consumer.paused()
        for number, part in self.parts.partitions.items():
            inputs = [TopicPartition(topic, number) for topic in TURNS]
            if part.buffered > MOST_WAITING and not paused & set(inputs):
                clients.consumer.pause(*inputs)
            elif part.buffered <= MOST_WAITING // 2 and paused & set(inputs):
                clients.consumer.resume(*inputs)

    def _lag_of(self, clients: Clients, tp: TopicPartition) -> int | None:
        end = clients.consumer.highwater(tp)
        return None if end is None else max(0, end - self._received[tp])

    def _lag(self, number: int, topic: str) -> int | None:
        return self._lags.get(TopicPartition(topic, number))


def _fetched(tp: TopicPartition, records: Sequence[ConsumerRecord]) -> Fetched:
    first, after = records[0].offset, records[-1].offset + 1
    return Fetched(
        topic=tp.topic,
        partition=tp.partition,
        first_offset=first,
        next_offset=after,
        end_offset=after,
        generation=0,
        size=sum(len(record.value or b"") for record in records),
        offsets=[record.offset for record in records],
        timestamps=[record.timestamp for record in records],
        keys=[record.key for record in records],
        values=[record.value for record in records],
        headers=None,
    )
