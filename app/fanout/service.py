"""The fan-out over Kafka: consumes inputs and internal topics of some partitions, and hands on orders with velocities.

Nothing is committed: what is written follows from the inputs. A service that starts reads everything again; owners
leave out what they have taken, and the first answer counts.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from app.fanout.joiner import Joined
from app.fanout.partition import ANSWERS, ASKS, FanOutPartition, Message
from app.kafka.fetched import Fetched
from app.velocity.definitions import Velocity
from app.velocity.stream import TURNS

_POLL_MS = 5
_STEP_RECORDS = 8_192
_MOST_WAITING = 32_768  # records of a partition that wait to be asked about, or orders that wait for answers

OnJoined = Callable[[int, Sequence[Joined]], None]
"""Told the orders of a partition that go on, in their turns."""


class FanOut:
    """Runs the parts of ``partitions`` in this process.

    Args:
        broker: `host:port`, several with commas.
        mine: the partitions to run.
        partitions: of all topics.
        velocities: what is computed.
        on_joined: told of every order.
        deadline: seconds an order waits for its answers; None without limit.
    """

    def __init__(
        self,
        broker: str,
        mine: Collection[int],
        partitions: int,
        velocities: Sequence[Velocity],
        on_joined: OnJoined,
        deadline: float | None,
    ) -> None:
        self.parts = {number: FanOutPartition(number, partitions, velocities, deadline) for number in mine}
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
        assigned = [TopicPartition(topic, number) for topic in topics for number in self.parts]
        self._consumer.assign(assigned)
        await self._consumer.seek_to_beginning(*assigned)
        self._received = {tp: await self._consumer.position(tp) for tp in assigned}

    async def _turn(self) -> None:
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_STEP_RECORDS)
        now = time.monotonic()
        now_ms = time.time_ns() // 1_000_000
        messages: list[Message] = []
        for tp, records in fetched.items():
            if tp.topic in TURNS:
                self.parts[tp.partition].feed(_fetched(tp, records))
                self._received[tp] = await self._consumer.position(tp)
        for number, part in self.parts.items():
            self._throttle(number, part)
            part.receive([record.value for record in fetched.get(TopicPartition(ANSWERS, number), [])])
            if part.joiner.waiting < _MOST_WAITING:
                messages += part.asks(partial(self._lag, number), now, _STEP_RECORDS)
            asks = fetched.get(TopicPartition(ASKS, number), [])
            messages += part.answers([(record.timestamp, record.value) for record in asks], now_ms)
            if joined := part.joiner.take(now):
                self._on_joined(number, joined)
        await self._send(messages)

    def _throttle(self, number: int, part: FanOutPartition) -> None:
        """Read no more input of a partition while much of it waits."""
        inputs = [TopicPartition(topic, number) for topic in TURNS]
        paused = self._consumer.paused()
        if part.buffered > _MOST_WAITING and not paused & set(inputs):
            self._consumer.pause(*inputs)
        elif part.buffered <= _MOST_WAITING // 2 and paused & set(inputs):
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
