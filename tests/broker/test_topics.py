"""Topics are made once, with the partitions and settings asked for, or the command says what to change."""

import asyncio
import json
import random
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from app.kafka.devbroker.ports import LOOPBACK, free_port
from app.kafka.topics import TopicError, create_topics, delete_topics, topic
from schemas.topics import CONTROLS, TOPICS
from tests.broker.command import Ended, sluice
from tests.broker.conftest import MakeTopics

pytestmark = pytest.mark.broker

NAMES = [*(contract.name for contract in TOPICS), *(control.name for control in CONTROLS)]


@pytest.fixture
def without_topics(kafka: str) -> Iterator[str]:
    """A broker without the topics of the contract, before and after."""
    yield kafka
    asyncio.run(delete_topics(kafka, NAMES))


def create(broker: str, partitions: int) -> Ended:
    return sluice("topics", "create", "--json", "--broker", broker, "--partitions", str(partitions))


def test_creating_twice_makes_every_topic_of_the_contract_once(without_topics: str) -> None:
    first = create(without_topics, 3)
    assert (first.code, first.error) == (0, "")
    assert json.loads(first.output) == {"created": NAMES, "existing": [], "partitions": 3}
    second = create(without_topics, 3)
    assert (second.code, json.loads(second.output)["existing"]) == (0, NAMES)


def test_another_number_of_partitions_is_refused_in_one_line_and_nothing_is_made(
    kafka: str, make_topics: MakeTopics
) -> None:
    make_topics(["orders"], 2)
    ended = create(kafka, 3)
    assert (ended.code, ended.output, ended.error.count("\n")) == (2, "", 1)
    assert ended.error.startswith("sluice: topic orders has 2 partitions and not 3: say --partitions 2")
    assert asyncio.run(create_topics(kafka, [topic("orders", 2)])) == []
    assert asyncio.run(existing(kafka)) & set(NAMES) == {"orders"}


def test_a_broker_that_is_not_there_is_said_in_one_line() -> None:
    address = f"{LOOPBACK}:{free_port(random.SystemRandom())}"
    ended = create(address, 3)
    assert (ended.code, ended.output, ended.error.count("\n")) == (2, "", 1)
    assert f"no Kafka answers at {address}" in ended.error
    assert "sluice kafka start" in ended.error


def test_the_topics_get_the_settings_of_the_contract(kafka: str, make_topics: MakeTopics) -> None:
    make_topics(["clickstream"], 1)
    settings = asyncio.run(settings_of(kafka, "clickstream"))
    assert settings["message.timestamp.type"] == "LogAppendTime"


def test_a_refused_setting_is_said_with_the_topic(kafka: str) -> None:
    wrong = topic("wrong", 1)
    wrong.config["retention.ms"] = "soon"
    with pytest.raises(TopicError, match=r"did not create topic wrong: .*retention"):
        asyncio.run(create_topics(kafka, [wrong]))


def test_a_deleted_topic_can_be_made_again_at_once(kafka: str, make_topics: MakeTopics) -> None:
    for partitions in (1, 2):
        make_topics(["orders"], partitions)
        asyncio.run(delete_topics(kafka, ["orders"]))
    assert "orders" not in asyncio.run(existing(kafka))


async def existing(broker: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def settings_of(broker: str, name: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        return {entry[0]: entry[1] for answer in answers for entry in answer.resources[0][4]}
    finally:
        await admin.close()
