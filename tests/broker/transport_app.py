"""A small worker for the transport's tests: it takes batches, and makes them durable when it is told to."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faust.types import StreamT

from app.kafka.faust_app import BatchApp, create_app
from app.kafka.fetched import Fetched, Partition
from app.kafka.options import TransportOptions

Handle = Callable[[BatchApp, Fetched], Awaitable[None]]


async def make_durable(app: BatchApp, fetched: Fetched) -> None:
    """The handler that does no work: every batch is durable at once."""
    app.consumer.ledger.mark_durable(fetched.tp, fetched.next_offset, fetched.generation)


async def take_only(app: BatchApp, fetched: Fetched) -> None:
    """The handler that finishes nothing."""


class Taken(list[Fetched]):
    """The batches an app has taken, in order."""

    def values(self, topic: str) -> list[bytes | None]:
        return [value for fetched in self if fetched.topic == topic for value in fetched.values]

    def records(self) -> int:
        return sum(map(len, self))


def worker(
    kafka: str,
    folder: Path,
    topics: Sequence[str],
    handle: Handle = make_durable,
    *,
    group: str = "",
    instance: str | None = None,
    options: TransportOptions | None = None,
    settings: Mapping[str, object] | None = None,
) -> tuple[BatchApp, Taken]:
    """An app with one agent over `topics` that hands each batch to `handle`."""
    app = create_app(
        group or unique("group"),
        kafka,
        folder,
        instance=instance,
        options=options,
        commit_interval=0.1,
        session_timeout=6.0,
        settings=settings,
    )
    taken = Taken()

    @app.agent(app.topic(*topics), name="taker")  # type: ignore[untyped-decorator]
    async def taker(stream: StreamT) -> None:
        async for fetched in stream:
            taken.append(fetched)
            await handle(app, fetched)

    return app, taken


@asynccontextmanager
async def running(*apps: BatchApp) -> AsyncIterator[None]:
    try:
        for app in apps:
            await app.start()
        yield
    finally:
        for app in reversed(apps):
            await app.stop()


async def until(condition: Callable[[], object], what: str, timeout: float = 30.0) -> None:
    """Wait until it holds; the test fails with `what` it waited for."""
    try:
        async with asyncio.timeout(timeout):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {timeout} s: {what}") from None


async def produce(
    kafka: str, topic: str, partition: int, values: Iterable[bytes], transactional_id: str | None = None
) -> None:
    """Append records and wait for them; in one transaction if it has an id."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=transactional_id) as producer:
        if transactional_id:
            async with producer.transaction():
                await _send(producer, topic, partition, values)
        else:
            await _send(producer, topic, partition, values)


async def _send(producer: AIOKafkaProducer, topic: str, partition: int, values: Iterable[bytes]) -> None:
    for delivery in [await producer.send(topic, value, partition=partition) for value in values]:
        await delivery


async def committed(kafka: str, group: str, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
    """What the group has committed; None where it has not."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False) as consumer:
        return {tp: await consumer.committed(TopicPartition(*tp)) for tp in partitions}


async def end_offsets(kafka: str, partitions: Iterable[Partition]) -> dict[Partition, int]:
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        ends = await consumer.end_offsets([TopicPartition(*tp) for tp in partitions])
        return {(tp.topic, tp.partition): offset for tp, offset in ends.items()}


async def read_all(kafka: str, topic: str, partition: int) -> list[bytes | None]:
    """Every committed value of one partition."""
    tp = TopicPartition(topic, partition)
    async with AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed") as consumer:
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end, values = (await consumer.end_offsets([tp]))[tp], []
        while await consumer.position(tp) < end:
            for record in (await consumer.getmany(tp, timeout_ms=1_000)).get(tp, []):
                values.append(record.value)
        return values


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"
