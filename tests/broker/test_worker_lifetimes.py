"""Sessions that close and histories that expire, through a worker on a real Kafka."""

from pathlib import Path

import pytest

from app.kafka.partition import partition_of
from app.state.partition_rows import PARTITION_KEY
from app.state.store import Stores
from schemas.topics import SESSION_EVENTS, TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import run_to_end
from tests.harness import DAY, HOUR, MINUTE, Input, click

pytestmark = [pytest.mark.broker, pytest.mark.slow]

GONE = [f"gone-{number}" for number in range(20)]
STAYING = [f"staying-{number}" for number in range(20)]


@pytest.fixture
def topics(kafka: str, make_topics: MakeTopics) -> ContractTopics:
    """All topics of the contract, empty."""
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    return ContractTopics(kafka)


def of_all(users: list[str], after: int, name: str) -> list[Input]:
    return [click(user, after, f"{user}-{name}") for user in users]


def closed(topics: ContractTopics) -> list[tuple[str, str, int]]:
    """User, last event and number of clicks of every session that was closed."""
    records = topics.read(SESSION_EVENTS)
    return sorted((one.body["user_id"], one.body["source_event_id"], one.body["events"]) for one in records)


def stored(state: Path) -> set[tuple[int, bytes]]:
    """Partition and key of every row in the local stores."""
    stores, found = Stores(state / "one" / "sessions", lambda: 0), set()
    for partition in range(PARTITIONS):
        store = stores.open(partition)
        found |= {(partition, key) for keys, _ in store.scan() for key in keys}
        store.close()
    return found


def test_a_session_is_closed_once_though_its_user_fell_silent_and_the_worker_was_restarted(
    topics: ContractTopics, tmp_path: Path
) -> None:
    group = unique("sessions")
    topics.send(*of_all(GONE, 0, "a"), *of_all(GONE, MINUTE, "b"))
    run_to_end(topics.broker, tmp_path / "state", group)
    assert closed(topics) == []
    topics.send(*of_all(STAYING, HOUR, "a"))
    run_to_end(topics.broker, tmp_path / "state", group)
    expected = sorted((user, f"{user}-b", 2) for user in GONE)
    assert closed(topics) == expected
    topics.send(*of_all(STAYING, HOUR + MINUTE, "b"))
    run_to_end(topics.broker, tmp_path / "another", group)
    assert closed(topics) == expected


def test_an_expired_history_is_a_tombstone_and_changelog_and_store_hold_the_same_rows(
    topics: ContractTopics, tmp_path: Path
) -> None:
    """Pain 17: rows deleted in one of the two came back at the next recovery."""
    group = unique("histories")
    topics.send(*of_all(GONE, 0, "a"), *of_all(STAYING, 20 * DAY, "a"))
    run_to_end(topics.broker, tmp_path / "state", group)
    assert {key for _, key in stored(tmp_path / "state")} >= {user.encode() for user in GONE + STAYING}
    topics.send(*of_all(STAYING, 40 * DAY, "b"))
    run_to_end(topics.broker, tmp_path / "state", group)
    changelog = topics.changelog(group)
    tombstones = {at for at, value in changelog.items() if value is None}
    assert tombstones == {(partition_of(user.encode(), PARTITIONS), user.encode()) for user in GONE}
    live = changelog.keys() - tombstones
    assert {key for _, key in live} == {user.encode() for user in STAYING} | {PARTITION_KEY}
    assert stored(tmp_path / "state") == live
    run_to_end(topics.broker, tmp_path / "fresh", group)
    assert stored(tmp_path / "fresh") == live
