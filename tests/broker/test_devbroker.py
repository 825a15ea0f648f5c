"""The development broker as clients see it."""

import asyncio
import uuid
from collections.abc import Callable, Sequence

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

pytestmark = pytest.mark.broker


@pytest.fixture
def topic_name(make_topics: Callable[[Sequence[str], int], None]) -> str:
    name = f"devbroker-{uuid.uuid4().hex}"
    make_topics([name], 1)
    return name


def test_a_committed_transaction_is_read_and_an_aborted_one_is_not(kafka: str, topic_name: str) -> None:
    async def scenario() -> list[bytes | None]:
        producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic_name)
        async with producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic_name, b"aborted")
            await producer.abort_transaction()
            async with producer.transaction():
                await producer.send_and_wait(topic_name, b"committed")
        return [await _first_value(kafka, topic_name)]

    assert asyncio.run(scenario()) == [b"committed"]


async def _first_value(kafka: str, topic_name: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    async with consumer:
        consumer.assign([TopicPartition(topic_name, 0)])
        record = await asyncio.wait_for(consumer.getone(), 20)
        value: bytes | None = record.value
        return value
