"""One turn of the fan-out: what came from the topics goes in, what is asked and answered goes out."""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from app.fanout.clients import Clients, Topics
from app.fanout.messages import TAKES_OVER, AnswerBatch, AskBatch, AskHead, BadMessage, come_back, unpacked
from app.fanout.parts import MOST_WAITING, STEP_RECORDS, FanOutParts, Message, taken_here
from app.fanout.sending import Sending
from app.kafka.fetched import Fetched
from app.ops.metrics import Metrics
from app.velocity.stream import TURNS

_POLL_MS = 10

log = structlog.get_logger(__name__)


class Exchange:
    """Between the parts of a process and the topics.

    ``received`` are the offsets up to which partitions were read; ``superseded`` the partitions that another worker has
    taken over meanwhile.

    Args:
        clients: connected.
        topics: of the group.
        parts: of the process.
        metrics: told of what cannot be read.
    """

    def __init__(self, clients: Clients, topics: Topics, parts: FanOutParts, metrics: Metrics) -> None:
        self._clients, self._topics, self._parts, self._metrics = clients, topics, parts, metrics
        self.received: dict[TopicPartition, int] = {}
        self.superseded: set[int] = set()
        self.spent = 0.0
        """Seconds that the latest turn computed."""
        self._sending = Sending(clients.producer, topics)
        self._told_here: set[tuple[int, int]] = set()  # by partition that asks and owner
        self._lags: dict[TopicPartition, int | None] = {}

    def begin(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these too, from these offsets on."""
        self.received |= positions
        self._clients.read(self.received)

    def forget(self, number: int) -> None:
        """Read nothing more of a partition."""
        self.received = {tp: offset for tp, offset in self.received.items() if tp.partition != number}
        self._told_here = {pair for pair in self._told_here if number not in pair}
        self._clients.read(self.received)

    async def flush(self) -> None:
        """Until the topics have all that was asked and answered.

        Raises:
            KafkaError: the broker did not take a message.
        """
        await self._sending.flush()
        self._parts.confirmed |= self._sending.confirmed()

    async def turn(self) -> set[int]:
        """Take in what came, ask and answer; the partitions of which something was asked or answered.

        Raises:
            KafkaError: the broker did not take a message.
        """
        consumer = self._clients.consumer
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=STEP_RECORDS)
        begun = time.monotonic()
        asks: dict[int, list[tuple[int, AskBatch]]] = {}
        changed: set[int] = set()
        for tp, records in fetched.items():
            self.received[tp] = await consumer.position(tp)
            if tp.topic == self._topics.asks:
                asks[tp.partition] = self._asks_of_others(tp.partition, records)
                continue
            part = self._parts.partitions[tp.partition]
            if tp.topic in TURNS:
                part.feed(_fetched(tp, records))
            else:
                news = [part.joiner.receive(batch) for batch in self._answers(records)]
                changed |= {tp.partition} if any(news) else set()
        self._lags = {tp: self._lag_of(tp) for tp in self.received if tp.topic in TURNS}
        changed |= await _whole(self._exchange(asks))
        self._throttle()
        self.spent = time.monotonic() - begun
        return changed

    async def _exchange(self, asks: dict[int, list[tuple[int, AskBatch]]]) -> set[int]:
        """Ask about what came in, and answer what was asked: what stays in this process does not wait for the topic.

        Returns:
            The partitions of which something was asked or answered here.
        """
        self._parts.confirmed |= self._sending.confirmed()
        now_ms = time.time_ns() // 1_000_000
        messages = self._parts.asks(self._lag, time.monotonic())
        told_here = [each for each in messages if self._is_told_here(each.source, each.partition)]
        for owner, parts in taken_here(told_here, now_ms).items():
            asks.setdefault(owner, []).extend(parts)
        answers = self._parts.answers(asks, now_ms)
        await self.deliver([*messages, *self._parts.records()], answers)
        told = {message.source for message in messages} | {message.partition for message in answers}
        return told & self._parts.partitions.keys()

    def _is_told_here(self, source: int, owner: int) -> bool:
        """Whether an owner in this process is told at once what a partition of it asks, before the topic has it.

        That begins when it has read, from the topic, all that was asked before.
        """
        if (source, owner) in self._told_here:
            return True
        merger, mine = self._parts.owners.mergers.get(owner), self._parts.partitions
        if merger is None or owner not in mine or merger.epoch(source) != self._parts.epochs[source]:
            return False
        if not self._sending.is_read(source, owner, self.received[TopicPartition(self._topics.asks, owner)]):
            return False
        self._told_here.add((source, owner))
        return True

    async def deliver(self, messages: Sequence[Message], answers: Sequence[Message]) -> None:
        """Send messages and answers; those to orders of this process are heard at once."""
        self._parts.hear(answers)
        await self._send([*messages, *answers])

    async def _send(self, messages: Sequence[Message]) -> None:
        told = self._told_here
        lasting = [each for each in messages if each.lasting or (each.source, each.partition) not in told]
        await self._sending.send(lasting)

    def _asks_of_others(self, owner: int, records: Sequence[ConsumerRecord]) -> list[tuple[int, AskBatch]]:
        """What an owner has not been told in this process already."""
        found = []
        for record in records:
            for value in self._messages(record):
                try:
                    if self._is_news(owner, record.offset, AskBatch.head(value)):
                        found.append((record.timestamp, self._parts.owners.part(owner, AskBatch.decoded(value))))
                except BadMessage as problem:
                    self._left_out(record, problem)
        return found

    def _is_news(self, owner: int, offset: int, head: AskHead) -> bool:
        """Whether an owner hears it for the first time."""
        epoch = offset if head.epoch == TAKES_OVER else head.epoch
        own = self._parts.epochs.get(head.source)
        if own is not None and epoch > own:
            log.warning("another worker has taken the partition over", partition=head.source)
            self.superseded.add(head.source)
        return epoch != own or (head.source, owner) not in self._told_here

    def _answers(self, records: Sequence[ConsumerRecord]) -> list[AnswerBatch]:
        """Those that can be read; what a partition noted for whoever takes it over is not for this one."""
        found = []
        for record in records:
            for value in self._messages(record):
                try:
                    batch = come_back(value)
                except BadMessage as problem:
                    self._left_out(record, problem)
                else:
                    found += [batch] if isinstance(batch, AnswerBatch) else []
        return found

    def _messages(self, record: ConsumerRecord) -> list[bytes]:
        try:
            return unpacked(record.value)
        except BadMessage as problem:
            self._left_out(record, problem)
            return []

    def _left_out(self, record: ConsumerRecord, problem: BadMessage) -> None:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        log.warning("a message about velocities is left out", place=place, reason=str(problem))
        self._metrics.velocity_unreadable()

    def _throttle(self) -> None:
        """Read no more input of a partition while much of it waits."""
        paused = self._clients.consumer.paused()
        for number, part in self._parts.partitions.items():
            inputs = [TopicPartition(topic, number) for topic in TURNS]
            if part.buffered > MOST_WAITING and not paused & set(inputs):
                self._clients.consumer.pause(*inputs)
            elif part.buffered <= MOST_WAITING // 2 and paused & set(inputs):
                self._clients.consumer.resume(*inputs)

    def _lag_of(self, tp: TopicPartition) -> int | None:
        end = self._clients.consumer.highwater(tp)
        return None if end is None else max(0, end - self.received[tp])

    def _lag(self, number: int, topic: str) -> int | None:
        return self._lags.get(TopicPartition(topic, number))


async def _whole(work: Coroutine[Any, Any, set[int]]) -> set[int]:
    """Do it to its end, also where this is cancelled meanwhile: half of what is asked would be missing for ever."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


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
