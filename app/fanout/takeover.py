"""How a worker takes a partition over: it says so in the log, and then reads back what was before.

From its first record on, whoever had the partition before is not listened to: a worker that slept and does not know yet
can write what it wants. Its offset is the end of what is read back, so nothing is missing either.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from app.fanout import snapshot
from app.fanout.clients import Clients, Topics, consuming
from app.fanout.joiner import Joiner
from app.fanout.messages import AskBatch, Asked, BadMessage, come_back, packed, unpacked
from app.fanout.parts import FanOutParts
from app.fanout.recovery import Recovering
from app.ops.metrics import Metrics
from schemas.topics import LABELS, ORDERS

_READ_RECORDS = 4_096
_CLOCKS_MS = 60_000  # by which those of brokers may differ

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Takeover:
    """A partition that can go on: as ``epoch``, with its answers read up to offset ``answers``."""

    epoch: int
    answers: int
    recovering: Recovering

    def positions(self, topics: Topics) -> dict[TopicPartition, int]:
        """Where reading goes on."""
        resume, number = self.recovering.resume, self.recovering.number
        inputs = {ORDERS: resume.orders, LABELS: resume.labels}
        own = {topics.asks: self.epoch + 1, topics.answers: self.answers}
        return {TopicPartition(topic, number): offset for topic, offset in (inputs | own).items()}


@dataclass(frozen=True, slots=True, eq=False)
class Taking:
    """Takes partitions over into ``parts``; snapshots are in ``folder``."""

    clients: Clients
    topics: Topics
    parts: FanOutParts
    folder: Path
    metrics: Metrics

    async def take(self, number: int, committed: int, joiner: Joiner) -> Takeover:
        """Bring a partition back whose orders are decided up to offset ``committed``.

        Raises:
            KafkaError: what the broker said; the partition is forgotten again, as when this is cancelled.
        """
        started = time.monotonic()
        try:
            epoch = await self._fence(number)
            async with consuming(self.clients.broker) as consumer:
                places = [TopicPartition(topic, number) for topic in (self.topics.asks, ORDERS, self.topics.answers)]
                consumer.assign(places)
                consumer.pause(*places)
                recovering = await self._recover(consumer, number, epoch)
                answers = await self._hear(consumer, number, committed, joiner)
        except BaseException:
            self.parts.forget(number)
            raise
        seconds = time.monotonic() - started
        self.metrics.velocity_recovered(number, recovering.rows, seconds)
        log.info("velocities taken over", partition=number, rows=recovering.rows, seconds=round(seconds, 3))
        return Takeover(epoch, answers, recovering)

    async def _fence(self, number: int) -> int:
        """Take the floor at every owner; tells the epoch."""
        producer, asks = self.clients.producer, self.topics.asks
        first = await producer.send_and_wait(asks, packed([AskBatch.takeover(number).encoded()]), partition=number)
        value = packed([AskBatch.takeover(number, first.offset).encoded()])
        others = [owner for owner in range(self.parts.count) if owner != number]
        await asyncio.gather(*[await producer.send(asks, value, partition=owner) for owner in others])
        return int(first.offset)

    async def _recover(self, consumer: AIOKafkaConsumer, number: int, epoch: int) -> Recovering:
        tp = TopicPartition(self.topics.asks, number)
        begin = (await consumer.beginning_offsets([tp]))[tp]
        log_end_ms = await _written_at(consumer, tp, max(begin, epoch - 1)) or 0
        stored = await self._stored(number, begin, epoch)
        recovering = Recovering(self.parts, number, stored, log_end_ms)
        consumer.seek(tp, max(begin, recovering.offset))
        async for records in _until(consumer, tp, epoch + 1):
            if decoded := [each for record in records for each in self._decoded(record)]:
                recovering.add(decoded)
            await asyncio.sleep(0)
        return recovering

    async def _stored(self, number: int, begin: int, end: int) -> snapshot.Snapshot | None:
        path = snapshot.path(self.folder, number)
        try:
            return await asyncio.to_thread(snapshot.read, path, begin, end)
        except snapshot.SnapshotUnusable as problem:
            log.warning("a snapshot of velocities is not used", partition=number, reason=str(problem))
            self.metrics.store_rebuilt(problem.reason)
            return None

    def _decoded(self, record: ConsumerRecord) -> list[tuple[int, int, AskBatch]]:
        try:
            batches = [AskBatch.decoded(value) for value in unpacked(record.value)]
            return [(record.offset, record.timestamp, batch) for batch in batches]
        except BadMessage as problem:
            log.warning("asks are left out", partition=record.partition, offset=record.offset, reason=str(problem))
            self.metrics.velocity_unreadable()
            return []

    async def _hear(self, consumer: AIOKafkaConsumer, number: int, committed: int, joiner: Joiner) -> int:
        """Let the orders that are not decided yet meet the answers that were given; tells where those end."""
        orders, answers = TopicPartition(ORDERS, number), TopicPartition(self.topics.answers, number)
        joiner.through(committed)
        ends = await consumer.end_offsets([orders, answers])
        if committed >= ends[orders]:
            return int(ends[answers])
        since = await _written_at(consumer, orders, committed) or 0
        found = (await consumer.offsets_for_times({answers: max(0, since - _CLOCKS_MS)}))[answers]
        consumer.seek(answers, found.offset if found else ends[answers])
        async for records in _until(consumer, answers, ends[answers]):
            for record in records:
                self._heard(joiner, record)
            await asyncio.sleep(0)
        return int(ends[answers])

    def _heard(self, joiner: Joiner, record: ConsumerRecord) -> None:
        try:
            told = [come_back(value) for value in unpacked(record.value)]
        except BadMessage as problem:
            log.warning("answers are left out", partition=record.partition, offset=record.offset, reason=str(problem))
            self.metrics.velocity_unreadable()
            return
        for found in told:
            if isinstance(found, Asked):
                joiner.expect(replace(found, next_offset=0))  # what comes next may not have been heard yet
            else:
                joiner.receive(found)


async def _written_at(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> int | None:
    """When the first record from ``offset`` on was written, ms since the epoch; None if there is none."""
    end = (await consumer.end_offsets([tp]))[tp]
    if offset >= end:
        return None
    consumer.seek(tp, offset)
    async for records in _until(consumer, tp, end):
        return int(records[0].timestamp)
    return None


async def _until(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> AsyncIterator[list[ConsumerRecord]]:
    """The records from the position up to before ``end``, of a partition that is paused otherwise."""
    consumer.resume(tp)
    while await consumer.position(tp) < end:
        for records in (await consumer.getmany(tp, timeout_ms=1_000, max_records=_READ_RECORDS)).values():
            if found := [record for record in records if record.offset < end]:
                yield found
    consumer.pause(tp)
