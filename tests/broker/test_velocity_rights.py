"""A worker whose rules name velocities, and that has no right to the topics of these, says so at once and ends."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from app.demo.run import STARTER
from app.fanout.clients import Topics, ensure_topics
from app.kafka.devbroker import DevelopmentBroker
from app.kafka.devbroker.properties import NODE
from app.kafka.topics import catalogue, create_topics
from tests.broker.command import sluice
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.harness import order

pytestmark = [pytest.mark.broker, pytest.mark.slow]

AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
ALL, READ, WRITE, DESCRIBE = 2, 3, 4, 8
DENY, ALLOW = 2, 3
_TOPIC, _LITERAL = 2, 3


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker that asks for rights where there are any, with a backlog of one order."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AUTHORIZED.items():
            patch.setitem(NODE, name, value)
        with DevelopmentBroker(tmp_path_factory.mktemp("guarded") / "kafka") as broker:
            asyncio.run(create_topics(broker.address, catalogue(PARTITIONS)))
            ContractTopics(broker.address).send(order("u", 0, "1", device_id="d"))
            yield broker.address


async def say(broker: str, topic: str, rights: Sequence[tuple[int, int]]) -> None:
    """Give everybody these rights to a topic, or take them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        for operation, permission in rights:
            request = CreateAclsRequest(_TOPIC, topic, _LITERAL, "User:*", "*", operation, permission)
            answer = await admin._send_request(request)
            assert [code for code, _ in answer.creation_responses] == [0], answer
    finally:
        await admin.close()


@pytest.mark.parametrize(
    ("is_there", "rights"),
    [
        (False, [(ALL, DENY)]),
        (True, [(ALL, DENY)]),
        (True, [(DESCRIBE, ALLOW), (READ, ALLOW), (WRITE, DENY)]),
        (True, [(DESCRIBE, ALLOW), (WRITE, ALLOW), (READ, DENY)]),
    ],
    ids=["to a new one", "at all", "to write", "to read"],
)
def test_without_rights_a_worker_ends_at_once_and_names_the_topic(
    guarded: str, tmp_path: Path, is_there: bool, rights: Sequence[tuple[int, int]]
) -> None:
    group = unique("rights")
    topics = Topics(group)
    if is_there:
        asyncio.run(ensure_topics(guarded, topics, PARTITIONS))
    asyncio.run(say(guarded, topics.asks, rights))
    flags = ["--broker", guarded, "--group", group, "--state-dir", str(tmp_path), "--ruleset", str(STARTER)]
    ended = sluice("worker", *flags, "--until-end")
    assert ended.code == 2, ended
    *_, line = ended.error.splitlines()
    assert line.startswith(f"sluice: velocities cannot be computed, the broker refuses topic {topics.asks} or")
    assert f"{topics.asks}" in line.partition("(")[2]
    assert "create, describe, read and write both" in line
