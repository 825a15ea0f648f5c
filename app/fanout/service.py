"""The fan-out over Kafka: consumes inputs and internal topics of some partitions; orders meet their answers in joiners.

Nothing is committed: what is written follows from the inputs. A service that starts reads everything again; owners
leave out what they have taken, and the first answer counts.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from app.fanout.joiner import Joiners
from app.fanout.parts import ANSWERS, ASKS, MOST_WAITING, STEP_RECORDS, FanOutParts, Message
from app.kafka.fetched import Fetched
from app.velocity.definitions import Velocity
from app.velocity.stream import TURNS

_POLL_MS = 5

OnJoined = Callable[[Collection[int]], None]
"""Told the partitions of which something was asked or answered."""


class FanOut:
    """Runs the parts of ``partitions`` in this process.

    Args:
        broker: `host:port`, several with commas.
        mine: the partitions to run.
        partitions: of all topics.
        velocities: what can be wanted, and is at first.
        joiners: where orders meet their answers.
        on_joined: told of what has come to them.
    """

    def __init__(
        self,
        broker: str,
        mine: Collection[int],
        partitions: int,
        velocities: Sequence[Velocity],
        joiners: Joiners,
        on_joined: OnJoined,
    ) -> None:
        self.parts = FanOutParts(mine, partitions, velocities, joiners)
        self._on_joined = on_joined
        self._received: dict[TopicPartition, int] = {}
        self._sending: set[asyncio.Future[object]] = set()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker,
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=4 << 20,
        )
        self._producer = AIOKafkaProducer(
            bootstrap_servers=broker, enable_idempotence=True, max_request_size=16 << 20, max_batch_size=1 << 20
        )

    async def run(self) -> None:
        """Go on until cancelled.

        Raises:
            KafkaError: the broker does not take a message.
        """
        await self._consumer.start()
        await self._producer.start()
        try:
            await self._begin()
            while True:
                await self._turn()
        finally:
            await self._consumer.stop()
            await self._producer.stop()

    async def _begin(self) -> None:
        topics = (*TURNS, ASKS, ANSWERS)
        assigned = [TopicPartition(topic, number) for topic in topics for number in self.parts.partitions]
        self._consumer.assign(assigned)
        await self._consumer.seek_to_beginning(*assigned)
        self._received = {tp: await self._consumer.position(tp) for tp in assigned}

    async def _turn(self) -> None:
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=STEP_RECORDS)
        now, now_ms = time.monotonic(), time.time_ns() // 1_000_000
        asks: dict[int, list[tuple[int, bytes]]] = {}
        changed: set[int] = set()
        for tp, records in fetched.items():
            if tp.topic in TURNS:
                self.parts.partitions[tp.partition].feed(_fetched(tp, records))
                changed.add(tp.partition)
                self._received[tp] = await self._consumer.position(tp)
            elif tp.topic == ANSWERS:
                self.parts.partitions[tp.partition].receive([record.value for record in records])
                changed.add(tp.partition)
            else:
                asks[tp.partition] = [(record.timestamp, record.value) for record in records]
        await self._send(self.parts.answers(asks, now_ms))
        await self._send(self.parts.asks(self._lag, now))
        if changed:
            self._on_joined(changed)
        self._throttle()

    def _throttle(self) -> None:
        """Read no more input of a partition while much of it waits."""
        paused = self._consumer.paused()
        for number, part in self.parts.partitions.items():
            inputs = [TopicPartition(topic, number) for topic in TURNS]
            if part.buffered > MOST_WAITING and not paused & set(inputs):
                self._consumer.pause(*inputs)
            elif part.buffered <= MOST_WAITING // 2 and paused & set(inputs):
                self._consumer.resume(*inputs)

    def _lag(self, number: int, topic: str) -> int | None:
        tp = TopicPartition(topic, number)
        end = self._consumer.highwater(tp)
        return None if end is None else max(0, end - self._received[tp])

    async def _send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            sent = await self._producer.send(message.topic, message.value, partition=message.partition)
            self._sending.add(sent)
        done = {sent for sent in self._sending if sent.done()}
        self._sending -= done
        for sent in done:
            sent.result()


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
