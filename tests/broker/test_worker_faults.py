"""What a broker that fails does to a worker: it waits or ends with a reason, and nothing is missing or there twice."""

import asyncio
import os
import resource
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.devbroker.ports import is_free
from app.kafka.devbroker.properties import NODE
from app.kafka.topics import catalogue, create_topics, delete_topics
from schemas.topics import CLICKSTREAM, INTENT_EVENTS
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.second_node import REPLICATED, leaders, second_node
from tests.broker.transport_app import unique
from tests.broker.worker_process import WorkerProcess, running, until
from tests.harness import click

pytestmark = [pytest.mark.broker, pytest.mark.slow]

COUNT = 30_000
USERS = 3_000
ABSENT_S = 30.0


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[DevelopmentBroker]:
    """A broker that the test may harm, with the topics of the contract and a backlog of clicks."""
    with DevelopmentBroker(tmp_path / "kafka") as broker:
        send_backlog(broker)
        yield broker


def send_backlog(broker: DevelopmentBroker) -> None:
    asyncio.run(create_topics(broker.address, catalogue(PARTITIONS)))
    topics = ContractTopics(broker.address)
    topics.send(*(click(f"u{number % USERS}", number, f"c{number}") for number in range(COUNT)))


@contextmanager
def under_way(broker: DevelopmentBroker, folder: Path) -> Iterator[tuple[WorkerProcess, ContractTopics, str]]:
    """A worker in the middle of the backlog."""
    topics, group = ContractTopics(broker.address), unique("faults")
    with running(broker.address, folder / "state", group, max_batch_records=200) as worker:
        until(lambda: topics.count(INTENT_EVENTS) > 1_000, f"outputs; {worker.tail()}")
        yield worker, topics, group


def assert_all_done_once(worker: WorkerProcess, topics: ContractTopics, group: str) -> None:
    """The worker goes on by itself until every click has its one intent event."""
    until(lambda: topics.committed(group) == topics.ends(), f"everything done; {worker.tail()}")
    worker.stop()
    seen = Counter(record.body["source_event_id"] for record in topics.read(INTENT_EVENTS))
    assert seen.keys() == {f"c{number}" for number in range(COUNT)}
    assert set(seen.values()) == {1}


def broker_process(broker: DevelopmentBroker) -> int:
    """Its process id."""
    found = broker.running()
    assert found is not None
    return found.pid


def test_a_broker_that_is_gone_for_30_s(own_broker: DevelopmentBroker, tmp_path: Path) -> None:
    with under_way(own_broker, tmp_path) as (worker, topics, group):
        own_broker.kill()
        with pytest.raises(AssertionError, match="has not ended"):
            worker.end(ABSENT_S)
        own_broker.start()
        assert_all_done_once(worker, topics, group)


def test_a_broker_that_takes_a_second_for_every_answer(own_broker: DevelopmentBroker, tmp_path: Path) -> None:
    with under_way(own_broker, tmp_path) as (worker, topics, group):
        pid, enough = broker_process(own_broker), threading.Event()

        def freeze() -> None:
            for _ in range(10):
                os.kill(pid, signal.SIGSTOP)
                enough.wait(1.0)
                os.kill(pid, signal.SIGCONT)
                enough.wait(0.05)

        freezing = threading.Thread(target=freeze)
        freezing.start()
        freezing.join()
        assert_all_done_once(worker, topics, group)


def test_a_broker_whose_disk_is_full(own_broker: DevelopmentBroker, tmp_path: Path) -> None:
    """Files of the broker may grow no more: it refuses, and ends; on a larger disk it comes back."""
    with under_way(own_broker, tmp_path) as (worker, topics, group):
        pid = broker_process(own_broker)
        largest = max(path.stat().st_size for path in own_broker.data.rglob("*.log"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest // 2, largest // 2))
        _, _, port = own_broker.address.partition(":")
        until(lambda: is_free(int(port)), "a broker that has ended for lack of room")
        own_broker.start()
        assert_all_done_once(worker, topics, group)


def test_partitions_whose_leader_dies_go_on_under_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REPLICATED.items():
        monkeypatch.setitem(NODE, name, value)
    with DevelopmentBroker(tmp_path / "kafka") as first, second_node(first, tmp_path / "second") as second:
        send_backlog(first)
        with under_way(first, tmp_path) as (worker, topics, group):
            before = asyncio.run(leaders(first.address, INTENT_EVENTS))
            second.kill()
            assert_all_done_once(worker, topics, group)
        assert set(before) == {1, 2}
        assert set(asyncio.run(leaders(first.address, INTENT_EVENTS))) == {1}


def test_a_topic_that_is_deleted_under_a_running_worker(own_broker: DevelopmentBroker, tmp_path: Path) -> None:
    with under_way(own_broker, tmp_path) as (worker, _, _):
        asyncio.run(delete_topics(own_broker.address, [CLICKSTREAM]))
        assert worker.end() == 1
        *_, line = worker.log.read_text().splitlines()
        assert line.startswith("sluice: ")
        assert CLICKSTREAM in line
