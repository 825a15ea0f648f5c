"""Orders judged by what was ordered on the same device by others, whose partitions other workers may have."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.kafka.partition import partition_of
from schemas.topics import RISK_EVENTS, TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import WorkerProcess, running, until
from tests.harness import on, order

pytestmark = [pytest.mark.broker, pytest.mark.slow]

RULESET = """
id: shop
version: 1
policies: [{id: p, thresholds: {}}]
rules:
- {id: shared, when: device_users_24h >= 3, score: 60, action: review, reason: SHARED_DEVICE, text: "", owner: risk}
"""
USERS = [f"user-{number}" for number in range(8)]


@pytest.fixture
def topics(kafka: str, make_topics: MakeTopics) -> ContractTopics:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    return ContractTopics(kafka)


@contextmanager
def workers(topics: ContractTopics, folder: Path, group: str, *instances: str) -> Iterator[list[WorkerProcess]]:
    """Workers of one group with a rule about devices, whose orders wait as long as it takes."""
    ruleset = folder / "ruleset.yaml"
    ruleset.write_text(RULESET)
    flags = ("--ruleset", str(ruleset))
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                running(topics.broker, folder / name, group, *flags, instance=name, velocity_deadline_ms=60_000)
            )
            for name in instances
        ]


def ordered(topics: ContractTopics, number: int, tail: WorkerProcess) -> dict[str, Any]:
    """The next user orders on the device of all; what becomes of that."""
    topics.send(order(USERS[number], 1_000 * number, f"e{number}", device_id="d"))
    until(lambda: topics.count(RISK_EVENTS) > number, lambda: f"order {number}; {tail.tail()}")
    found = [record.body for record in on(RISK_EVENTS, topics.read(RISK_EVENTS))]
    (risk,) = [body for body in found if body["source_event_id"] == f"e{number}"]
    assert "partial" not in risk
    return dict(risk)


def assert_judged(risk: dict[str, Any], users: int) -> None:
    if users < 3:
        assert risk["rules"] == []
        return
    reason = next(reason for reason in risk["reasons"] if reason["code"] == "SHARED_DEVICE")
    assert reason["text"] == f"users by device in 24 h = {users} >= 3"
    assert risk["decision"]["action"] == "review"


def test_the_users_are_in_several_partitions() -> None:
    assert len({partition_of(user.encode(), PARTITIONS) for user in USERS[:3]}) > 1


def test_a_worker_tells_how_many_users_a_device_had_whatever_their_partitions(
    topics: ContractTopics, tmp_path: Path
) -> None:
    with workers(topics, tmp_path, unique("velocities"), "one") as (worker,):
        for number in range(len(USERS)):
            assert_judged(ordered(topics, number, worker), number + 1)
        worker.stop()


def test_two_workers_tell_the_same_and_so_does_the_one_that_is_left(topics: ContractTopics, tmp_path: Path) -> None:
    group = unique("velocities")
    with workers(topics, tmp_path, group, "one", "two") as (first, second):
        for number in range(5):
            assert_judged(ordered(topics, number, first), number + 1)
        second.kill()
        for number in range(5, len(USERS)):
            assert_judged(ordered(topics, number, first), number + 1)
        first.stop()
