"""The development broker as its clients and its command line see it."""

import asyncio
import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.kafka.devbroker import DevelopmentBroker, DevelopmentBrokerError
from app.kafka.devbroker.ports import free_port
from app.kafka.topics import create_topics, topic
from tests.broker.command import sluice
from tests.broker.conftest import MakeTopics

pytestmark = pytest.mark.broker

MIB = 1024 * 1024
YEAR_2100_MS = 4_102_444_800_000


@pytest.fixture
def topic_name(make_topics: MakeTopics) -> str:
    name = f"devbroker-{uuid.uuid4().hex}"
    make_topics([name], 1)
    return name


async def first_value(bootstrap: str, name: str) -> bytes:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    async with consumer:
        consumer.assign([TopicPartition(name, 0)])
        record = await asyncio.wait_for(consumer.getone(), 20)
        assert record.value is not None
        return bytes(record.value)


def test_a_committed_transaction_is_read_and_an_aborted_one_is_not(kafka: str, topic_name: str) -> None:
    async def scenario() -> bytes:
        async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic_name) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic_name, b"aborted")
            await producer.abort_transaction()
            async with producer.transaction():
                await producer.send_and_wait(topic_name, b"committed")
        return await first_value(kafka, topic_name)

    assert asyncio.run(scenario()) == b"committed"


@pytest.mark.parametrize("timestamp_ms", [0, YEAR_2100_MS])
def test_records_dated_far_from_today_are_accepted(kafka: str, topic_name: str, timestamp_ms: int) -> None:
    async def scenario() -> bytes:
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            await producer.send_and_wait(topic_name, b"dated", timestamp_ms=timestamp_ms)
        return await first_value(kafka, topic_name)

    assert asyncio.run(scenario()) == b"dated"


def test_a_value_of_5_mib_gets_in(kafka: str, topic_name: str) -> None:
    async def scenario() -> bytes:
        async with AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=6 * MIB) as producer:
            await producer.send_and_wait(topic_name, bytes(5 * MIB))
        return await first_value(kafka, topic_name)

    assert len(asyncio.run(scenario())) == 5 * MIB


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentBroker]:
    """A broker of this file's own, whose life the tests control."""
    with DevelopmentBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker
        broker.wipe()


def test_it_listens_on_the_loopback_interface_only(broker: DevelopmentBroker) -> None:
    running = broker.running()
    assert running is not None
    connections = psutil.Process(running.pid).net_connections("inet")
    listening = {entry.laddr for entry in connections if entry.status == psutil.CONN_LISTEN}
    assert {address[0] for address in listening} == {"127.0.0.1"}
    assert running.port in {address[1] for address in listening}


def test_a_second_start_leaves_the_first_alone(broker: DevelopmentBroker) -> None:
    before = broker.running()
    again = DevelopmentBroker(broker.data)
    assert again.start() is False
    assert (again.address, broker.running()) == (broker.address, before)


def test_a_broker_asked_for_on_another_port_is_refused_with_the_port_it_has(broker: DevelopmentBroker) -> None:
    asked = DevelopmentBroker(broker.data, port=1)
    with pytest.raises(DevelopmentBrokerError, match=f"runs on {broker.address} .* not on port 1"):
        asked.start()


@pytest.mark.slow
def test_records_survive_a_crash_and_the_address_stays(broker: DevelopmentBroker) -> None:
    address = broker.address
    asyncio.run(write(address, "crash", b"kept"))
    broker.kill()
    assert broker.running() is None
    broker.restart()
    assert broker.address == address
    assert asyncio.run(first_value(address, "crash")) == b"kept"


async def write(address: str, name: str, value: bytes) -> None:
    await create_topics(address, [topic(name, 1)])
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        await producer.send_and_wait(name, value)


@pytest.mark.slow
def test_the_commands_start_show_stop_and_wipe_a_broker_that_outlives_them(tmp_path: Path) -> None:
    port = str(free_port(random.SystemRandom()))
    options = ("--port", port, "--data", str(tmp_path / "kafka"))
    try:
        assert sluice("kafka", "status", *options)[0] == 1
        assert sluice("kafka", "start", *options)[:2] == (0, f"127.0.0.1:{port}\n")

        code, output, _ = sluice("kafka", "status", "--json", *options)
        shown = json.loads(output)
        assert (code, shown["running"], shown["address"]) == (0, True, f"127.0.0.1:{port}")

        code, output, _ = sluice("kafka", "start", "--json", *options)
        assert (code, json.loads(output)["started"]) == (0, False)

        elsewhere = ("--port", port, "--data", str(tmp_path / "other"))
        code, output, error = sluice("kafka", "start", *elsewhere)
        assert (code, output, error.count("\n")) == (2, "", 1)
        assert f"port {port} on 127.0.0.1 is taken" in error

        assert sluice("kafka", "stop", *options)[0] == 0
        assert not psutil.pid_exists(shown["pid"])
        assert sluice("kafka", "status", *options)[0] == 1
    finally:
        assert sluice("kafka", "wipe", *options)[0] == 0
    assert [left.name for left in (tmp_path / "kafka").iterdir()] == [".lock"]
