"""Recorded events reach a real Kafka: all of them, in order, on the partition of their key."""

import asyncio
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from app.cli.errors import UsageProblem
from app.kafka.partition import partition_of
from app.replay.load import load
from app.replay.recorded import RecordedBatch, joined
from app.replay.send import send
from schemas.topics import CLICKSTREAM, LABELS, ORDERS
from tests.broker.conftest import MakeTopics

pytestmark = pytest.mark.broker
INPUTS = (CLICKSTREAM, ORDERS, LABELS)
Records = dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]]


async def everything(kafka: str) -> Records:
    """All records of the input topics, up to the ends at the start."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for topic in INPUTS for number in range(3)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: Records = defaultdict(list)
        while sum(map(len, found.values())) < sum(ends.values()):
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                found[partition] += records
        return found
    finally:
        await consumer.stop()


def test_every_event_arrives_once_in_order_on_the_partition_of_its_key(kafka: str, make_topics: MakeTopics) -> None:
    make_topics(INPUTS, 3)
    sent = joined(list(load(20_000, users=300)))
    progress: list[int] = []
    assert asyncio.run(send(load(20_000, users=300), kafka, on_progress=progress.append)) == 20_000
    assert progress[-1] == 20_000

    found = asyncio.run(everything(kafka))
    expected: dict[TopicPartition, list[tuple[bytes, bytes]]] = defaultdict(list)
    for topic, key, value in zip(sent.topics, sent.keys, sent.values, strict=True):
        expected[TopicPartition(topic, partition_of(key, 3))].append((key, value))
    arrived = {partition: [(record.key, record.value) for record in records] for partition, records in found.items()}
    assert arrived == expected


def test_values_of_any_size_and_time_arrive(kafka: str, make_topics: MakeTopics) -> None:
    make_topics(INPUTS, 3)
    values = [b"x" * 5_000_000, b"", b"small"]
    batch = RecordedBatch([CLICKSTREAM] * 3, [b"k", b"k", b"k"], [-5, 10**15, 0], values)
    assert asyncio.run(send([batch], kafka)) == 3
    found = asyncio.run(everything(kafka))
    assert [[record.value for record in records] for records in found.values()] == [values]


def test_topics_that_are_missing_or_uneven_are_named(kafka: str, make_topics: MakeTopics) -> None:
    make_topics([CLICKSTREAM, ORDERS], 3)
    with pytest.raises(UsageProblem, match="no topic labels: run `sluice topics create`"):
        asyncio.run(send([], kafka))
    make_topics([LABELS], 2)
    with pytest.raises(UsageProblem, match="clickstream 3, orders 3, labels 2"):
        asyncio.run(send([], kafka))
