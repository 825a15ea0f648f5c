"""Changelogs as production leaves them: written, deleted, compacted, committed and aborted on a real Kafka."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from app.kafka.topics import Topic, create_topics
from app.state.changelog import TOPIC_CONFIG

Records = Sequence[tuple[bytes | None, bytes | None]]


def live(*parts: Records) -> dict[bytes, bytes]:
    """What a table holds after these records."""
    latest = dict(record for part in parts for record in part)
    return {key: value for key, value in latest.items() if key and value is not None}


def rows(first: int, last: int, note: str = "") -> Records:
    """One record for each of the keys `first` to `last`, the last one left out."""
    return [(b"user-%04d" % number, b"row %d %s" % (number, note.encode())) for number in range(first, last)]


def tombstones(first: int, last: int) -> Records:
    """A deletion for each of the keys."""
    return [(key, None) for key, _ in rows(first, last)]


async def make(kafka: str, topic: str, partitions: int = 1, changed: Mapping[str, str] | None = None) -> None:
    """Make a changelog topic with the product's settings but for those `changed`."""
    await create_topics(kafka, [Topic(topic, partitions, {**TOPIC_CONFIG, **(changed or {})})])


async def write(kafka: str, topic: str, records: Records, partition: int = 0) -> None:
    """Append records; returns when the broker has them."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5) as producer:
        await _send(producer, topic, records, partition)


async def write_transaction(kafka: str, topic: str, records: Records, *, abort: bool) -> None:
    """Append records in one transaction that ends in a commit or an abort marker."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topic}-writer") as producer:
        await producer.begin_transaction()
        await _send(producer, topic, records, 0)
        await (producer.abort_transaction() if abort else producer.commit_transaction())


async def open_transaction(kafka: str, topic: str, records: Records) -> AIOKafkaProducer:
    """A producer whose transaction has these records and is still open."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topic}-open")
    await producer.start()
    await producer.begin_transaction()
    await _send(producer, topic, records, 0)
    return producer


async def delete_before(kafka: str, topic: str, offset: int) -> None:
    """Delete what lies before an offset; Kafka allows it only where `cleanup.policy` has `delete`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    await admin.close()


async def stored_records(kafka: str, topic: str) -> list[tuple[int, bytes | None, bytes | None]]:
    """Offset, key and value of every record the broker still has in partition 0, aborted ones included."""
    tp = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        found: list[tuple[int, bytes | None, bytes | None]] = []
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [(record.offset, record.key, record.value) for record in records]
        return found


async def until_compacted(kafka: str, topic: str, most: int, attempts: int = 400) -> None:
    """Wait until the broker's cleaner has left at most `most` records."""
    for _ in range(attempts):
        if len(await stored_records(kafka, topic)) <= most:
            return
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{topic} was not compacted to {most} records")


async def _send(producer: AIOKafkaProducer, topic: str, records: Records, partition: int) -> None:
    sent = [await producer.send(topic, value, key, partition=partition) for key, value in records]
    await asyncio.gather(*sent)
