"""Small compacted topics of one partition, read whole by every process for itself: rules, models, what is in force.

There is no consumer group: each reader has all of it. What is yielded is the latest value of each key, so a reader that
was away for long sees the same as one that was there.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from app.kafka.topics import TopicError, partition_counts

Values = dict[bytes, bytes]
Changes = dict[bytes, bytes | None]
"""The new value of each key that changed; None: it is gone."""

_HELD_MS = 5_000  # the broker holds an empty fetch so long: new records end it at once
_START_AGAIN_S = 1.0
_LOOK_FOR_TOPIC_S = 5.0
_WRITE_TIMEOUT_MS = 10_000

log = structlog.get_logger(__name__)


async def follow(broker: str, topic: str) -> AsyncGenerator[Changes, None]:
    """First everything that is in force, as soon as it is read; then, for ever, what changes.

    The first may be empty: where nothing was ever written, or the topic is not there; it is then looked for now and
    again. Whatever the broker does, this goes on and never fails.
    """
    known: Values = {}
    first = True
    while True:
        try:
            async with aclosing(_found(broker, topic)) as pieces:
                async for found, is_whole in pieces:
                    changes = _whole(known, found) if is_whole else found
                    _apply(known, changes)
                    if changes or first:
                        first = False
                        yield changes
            pause = _LOOK_FOR_TOPIC_S
        except (KafkaError, TopicError, OSError, TimeoutError) as error:
            log.warning("the control topic is read again from its start", topic=topic, reason=repr(error))
            pause = _START_AGAIN_S
        await asyncio.sleep(pause)


async def read(broker: str, topic: str) -> Values:
    """Everything that is in force now.

    Raises:
        TopicError: no broker answers, or the topic is not there.
    """
    await _require(broker, topic)
    found: Values = {}
    async with _reading(broker, topic) as consumer:
        _apply(found, await _to_end(consumer, topic))
    return found


async def write(broker: str, topic: str, values: Mapping[bytes, bytes | None]) -> None:
    """Put values in force; None takes a key out. They are durable when this returns.

    Raises:
        TopicError: no broker answers, the topic is not there, or the broker refuses.
    """
    await _require(broker, topic)
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, request_timeout_ms=_WRITE_TIMEOUT_MS)
    try:
        await producer.start()
        for key, value in values.items():
            await producer.send_and_wait(topic, value, key, partition=0)
    except KafkaError as error:
        raise TopicError(f"topic {topic} at {broker} took no record: {error!r}") from error
    finally:
        await producer.stop()


async def _require(broker: str, topic: str) -> None:
    # Asked of all topics: to name a missing one would make it on brokers that create topics by themselves.
    if topic not in await partition_counts(broker):
        raise TopicError(f"there is no topic {topic} at {broker}: make it with `sluice topics create`")


async def _found(broker: str, topic: str) -> AsyncGenerator[tuple[Changes, bool], None]:
    """What is in force (True), then what changes (False); ends at once, with nothing, where there is no topic."""
    if topic not in await partition_counts(broker):
        yield {}, True
        return
    async with _reading(broker, topic) as consumer:
        yield await _to_end(consumer, topic), True
        while True:
            if changes := await _next(consumer, _HELD_MS):
                yield changes, False
            elif topic not in (await consumer.topics()):
                raise UnknownTopicOrPartitionError(f"topic {topic} is gone")


async def _to_end(consumer: AIOKafkaConsumer, topic: str) -> Changes:
    place = TopicPartition(topic, 0)
    # Asked before anything is fetched: what comes after a fetch that the broker holds waits for it.
    end = (await consumer.end_offsets([place]))[place]
    await consumer.seek_to_beginning()
    found: Changes = {}
    while await consumer.position(place) < end:
        found |= await _next(consumer, _HELD_MS)
    return found


async def _next(consumer: AIOKafkaConsumer, timeout_ms: int) -> Changes:
    batches = await consumer.getmany(timeout_ms=timeout_ms)
    return {record.key: record.value for batch in batches.values() for record in batch if record.key is not None}


def _whole(known: Values, found: Changes) -> Changes:
    """What a whole reading changes: also what is no longer in it."""
    gone: Changes = dict.fromkeys(key for key in known if found.get(key) is None)
    return gone | {key: value for key, value in found.items() if value is not None and known.get(key) != value}


def _apply(known: Values, changes: Changes) -> None:
    for key, value in changes.items():
        if value is None:
            known.pop(key, None)
        else:
            known[key] = value


@asynccontextmanager
async def _reading(broker: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker,
        auto_offset_reset="none",  # records that are gone were those of a topic that is: it is read again
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=_HELD_MS,
    )
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, 0)])
        yield consumer
    finally:
        await consumer.stop()
