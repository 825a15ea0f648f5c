"""Workers of one group on a real Kafka: partitions move between them and nothing is lost."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.topics import CLICKSTREAM, INTENT_EVENTS, LABELS, ORDERS, RISK_EVENTS, TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import WorkerProcess, running, until
from tests.harness import Input, click, label, order

pytestmark = [pytest.mark.broker, pytest.mark.slow]

USERS = [f"user-{number}" for number in range(40)]


class Load:
    """Clicks, orders and labels without end, from another thread, until the block is left."""

    def __init__(self, topics: ContractTopics) -> None:
        self._topics = topics
        self._over = threading.Event()
        self.sent: list[Input] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send inside the block."""
        sender = threading.Thread(target=self._send)
        sender.start()
        try:
            yield
        finally:
            self._over.set()
            sender.join()

    def _send(self) -> None:
        turn = 0
        while not self._over.is_set():
            piece = [click(user, 100 * turn + n, f"{user}-{turn}-{n}") for n in range(5) for user in USERS]
            piece += [order(user, 100 * turn + 50, f"order-{user}-{turn}") for user in USERS]
            piece += [label(user, 100 * turn + 60, f"label-{user}-{turn}") for user in USERS[:3]]
            self._topics.send(*piece)
            self.sent += piece
            turn += 1


def owned(worker: WorkerProcess) -> dict[str, set[int]]:
    """Partitions by topic of which the worker knows a lag, as its metrics tell them."""
    found: dict[str, set[int]] = defaultdict(set)
    for line in worker.get("/metrics").text.splitlines():
        if line.startswith("sluice_lag_records{"):
            labels = dict(part.split("=") for part in line[line.index("{") + 1 : line.index("}")].split(","))
            found[labels["topic"].strip('"')].add(int(labels["partition"].strip('"')))
    return found


def test_a_worker_that_joins_under_load_and_leaves_again_loses_nothing_and_keeps_every_users_order(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    """Pain 21: records read ahead were processed after a rebalance, and out of order."""
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    topics, group = ContractTopics(kafka), unique("group")
    load = Load(topics)
    with running(kafka, tmp_path / "first", group, instance="one") as first, load.running():
        until(lambda: topics.count(INTENT_EVENTS), f"an output of the first worker; {first.tail()}")
        with running(kafka, tmp_path / "second", group, instance="two") as second:
            until(lambda: len(owned(second).get(CLICKSTREAM, ())) == PARTITIONS // 2, f"half; {second.tail()}")
            before = topics.count(INTENT_EVENTS)
            until(lambda: topics.count(INTENT_EVENTS) > before + 2_000, "outputs of both")
            mine = owned(second)
            assert mine[CLICKSTREAM] == mine[ORDERS] == mine[LABELS], "partitions of one number stay together"
            figures = second.stop()
            assert figures["events_in"] > 0
        # A static member that leaves may come back: its partitions wait for the session's end (KIP-345).
        until(lambda: len(owned(first)[CLICKSTREAM]) == PARTITIONS, f"all partitions with the first; {first.tail()}")
        before = topics.count(INTENT_EVENTS)
        until(lambda: topics.count(INTENT_EVENTS) > before + 2_000, f"outputs of the first, alone; {first.tail()}")
        first.stop()
    with running(kafka, tmp_path / "first", group, "--until-end", instance="one") as first:
        first.figures()
    assert topics.committed(group) == topics.ends()

    sent: dict[str, list[str]] = defaultdict(list)
    for one in load.sent:
        if one.topic != LABELS:
            sent[one.topic].append(json.loads(one.value or b"")["event_id"])
    for source, output in ((CLICKSTREAM, INTENT_EVENTS), (ORDERS, RISK_EVENTS)):
        seen = [record.body["source_event_id"] for record in topics.read(output)]
        assert set(seen) == set(sent[source])
        assert len(seen) == len(set(seen)), "both left their partitions in order: nothing was done twice"
    assert_in_order(topics)


def assert_in_order(topics: ContractTopics) -> None:
    times: dict[str, list[int]] = defaultdict(list)
    for record in topics.read(INTENT_EVENTS):
        times[record.body["user_id"]].append(record.body["ts"])
    assert times.keys() == set(USERS)
    assert all(of_user == sorted(of_user) for of_user in times.values())


def test_a_killed_member_of_a_group_is_replaced_by_the_other(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    topics, group = ContractTopics(kafka), unique("group")
    topics.send(*(click(user, number, f"{user}-{number}") for number in range(10) for user in USERS))
    with running(kafka, tmp_path / "first", group, instance="one") as first:
        first.until_ready()
        with running(kafka, tmp_path / "second", group, instance="two") as second:
            until(lambda: len(owned(second).get(CLICKSTREAM, ())) == PARTITIONS // 2, f"half; {second.tail()}")
            until(lambda: topics.committed(group) == topics.ends(), "everything done")
            second.kill()
        topics.send(*(click(user, number, f"{user}-{number}") for number in range(10, 20) for user in USERS))
        until(lambda: topics.committed(group) == topics.ends(), f"the other half done by the first; {first.tail()}")
    counts = [(record.body["user_id"], record.body["session"]["events"]) for record in topics.read(INTENT_EVENTS)]
    assert sorted(counts) == sorted((user, number) for user in USERS for number in range(1, 21))
