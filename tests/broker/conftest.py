"""A real Kafka for the tests of this folder: one per test process, with the same settings in both forms.

It is the development broker, or with `SLUICE_TEST_BROKER=docker` a container of the Apache Kafka image.
"""

import asyncio
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.devbroker.ports import LOOPBACK, free_port
from app.kafka.devbroker.properties import NODE, container_environment
from app.kafka.topics import controls, create_topics, delete_topics, topic
from schemas.topics import CONTROLS, TOPICS
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.recovery_case import Case

IMAGE = "apache/kafka:4.4.0"

MakeTopics = Callable[[Sequence[str], int], None]


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a running Kafka, `127.0.0.1:PORT`; its topics vanish after the session."""
    with _broker() as address:
        yield address


@pytest.fixture
def make_topics(kafka: str) -> Iterator[MakeTopics]:
    """A function that makes empty topics with the given number of partitions, deleted after the test."""
    made: list[str] = []

    def make(names: Sequence[str], partitions: int) -> None:
        made.extend(names)
        asyncio.run(create_topics(kafka, [topic(name, partitions) for name in names]))

    yield make
    if made:
        asyncio.run(delete_topics(kafka, made))


@pytest.fixture
def topics(kafka: str, make_topics: MakeTopics) -> Iterator[ContractTopics]:
    """All topics, empty; the control topics too."""
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    asyncio.run(create_topics(kafka, controls()))
    yield ContractTopics(kafka)
    asyncio.run(delete_topics(kafka, [topic.name for topic in CONTROLS]))


@pytest.fixture
def case(kafka: str, tmp_path: Path) -> Case:
    """A changelog of its own, and disks for it."""
    return Case(kafka, tmp_path)


def _broker() -> AbstractContextManager[str]:
    return _container() if os.environ.get("SLUICE_TEST_BROKER") == "docker" else _development_broker()


@contextmanager
def _development_broker() -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="sluice-kafka-") as data,
        DevelopmentBroker(Path(data)) as broker,
    ):
        yield broker.address


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    port = free_port(random.SystemRandom())
    listeners = {
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.quorum.voters": "1@localhost:9093",
    }
    container = (
        DockerContainer(IMAGE)
        .with_bind_ports(9092, port)
        .with_envs(**container_environment(NODE | listeners))
        .waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    )
    with container:
        yield f"{LOOPBACK}:{port}"
