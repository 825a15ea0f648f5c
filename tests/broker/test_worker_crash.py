"""What a crash costs: kill -9 in the middle, on a real Kafka, with the local state and without it."""

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from app.state.describe import describe
from app.state.partition_rows import PARTITION_KEY
from schemas.topics import DEAD_LETTER, INTENT_EVENTS, RISK_EVENTS, TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import run_to_end, running, until
from tests.harness import MINUTE, Input, Record, Worker, click, order

pytestmark = [pytest.mark.broker, pytest.mark.slow]

Rows = dict[str, dict[str, Any]]
_OF_MODELS = ("encoder", "hidden")


def visits(users: int, clicks: int) -> list[Input]:
    """Clicks of each user, a minute apart, the users in turn; then an order of each."""
    found = [click(f"u{user}", n * MINUTE + user, f"u{user}-{n}") for n in range(clicks) for user in range(users)]
    return found + [order(f"u{user}", clicks * MINUTE + user, f"u{user}-order") for user in range(users)]


def killed_and_ended(topics: ContractTopics, folder: Path, group: str, *, keeps_state: bool, guarantee: str) -> None:
    """Kill a worker twice, each time after it has committed more; then let one work to the end."""
    done = 0
    for _ in range(2):
        with running(topics.broker, folder, group, max_batch_records=25, guarantee=guarantee) as worker:
            until(lambda: done < sum(topics.committed(group).values()), worker.tail)  # noqa: B023
            worker.kill()
        done = sum(topics.committed(group).values())
        if not keeps_state:
            shutil.rmtree(folder)
    assert sum(topics.committed(group).values()) < sum(topics.ends().values())
    run_to_end(topics.broker, folder, group, guarantee=guarantee)
    assert topics.committed(group) == topics.ends()


def by_source(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.body["source_event_id"]].append(record)
    return found


def ids(inputs: list[Input]) -> set[str]:
    return {json.loads(one.value or b"")["event_id"] for one in inputs}


class Uninterrupted:
    """A backlog, and what comes of it where nobody is killed: outputs by their source, and what the rows say."""

    def __init__(self) -> None:
        self.sent = visits(400, 90)
        worker = Worker(partitions=PARTITIONS)
        self.outputs = by_source(worker.run(*self.sent))
        self.facts = facts({key: value for rows in worker.stored.values() for key, value in rows.items()})


@pytest.fixture(scope="module")
def uninterrupted() -> Uninterrupted:
    return Uninterrupted()


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
@pytest.mark.parametrize("keeps_state", [True, False])
def test_kills_in_a_backlog_lose_nothing_and_change_no_state_twice(
    kafka: str,
    make_topics: MakeTopics,
    tmp_path: Path,
    uninterrupted: Uninterrupted,
    keeps_state: bool,
    guarantee: str,
) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    topics, group, sent, expected = ContractTopics(kafka), unique("crash"), uninterrupted.sent, uninterrupted.outputs
    topics.send(*sent)
    killed_and_ended(topics, tmp_path / "state", group, keeps_state=keeps_state, guarantee=guarantee)

    outputs = by_source(topics.read(INTENT_EVENTS, RISK_EVENTS))
    assert outputs.keys() == expected.keys() == ids(sent), "nothing is lost"
    for source, repeats in outputs.items():
        assert {one.body["event_id"] for one in repeats} <= {one.body["event_id"] for one in expected[source]}
        if guarantee == "exactly_once":
            assert len(repeats) == 1
    assert topics.count(DEAD_LETTER) == 0, "what was in time is in time when it is read again"
    stored = {key: value for (_, key), value in topics.changelog(group).items()}
    assert facts(stored) == uninterrupted.facts


def facts(stored: dict[bytes, bytes | None]) -> Rows:
    """What rows say of their users, without what a model made."""
    described = {key: describe(key, value) for key, value in stored.items() if value and key != PARTITION_KEY}
    return {
        row["user"]: {
            "orders": row["orders"],
            "history": {name: value for name, value in row["history"].items() if name not in _OF_MODELS},
            "session": {name: row["session"][name] for name in ("started_at", "events", "counts", "cart")},
        }
        for row in described.values()
    }
