"""A worker seen from outside: readiness, metrics, and what a broker that fails does to it."""

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.topics import catalogue, create_topics
from schemas.topics import CLICKSTREAM, DECISIONS, INTENT_EVENTS, LABELS, ORDERS, RISK_EVENTS, SESSION_EVENTS, TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import WorkerProcess, running, until
from tests.harness import DAY, HOUR, START, click, label, order, raw

pytestmark = [pytest.mark.broker, pytest.mark.slow]

Samples = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[DevelopmentBroker]:
    """A broker that the test may kill, with the topics of the contract."""
    with DevelopmentBroker(tmp_path / "kafka") as broker:
        asyncio.run(create_topics(broker.address, catalogue(PARTITIONS)))
        yield broker


def samples(worker: WorkerProcess) -> Samples:
    """What ``/metrics`` says: by name and label values."""
    found: Samples = {}
    for family in text_string_to_metric_families(worker.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def readiness(worker: WorkerProcess) -> str:
    """Why it is ready or not."""
    answer = worker.get("/readyz")
    body = json.loads(answer.text)
    assert body["ready"] == (answer.status == 200)
    reason: str = body["reason"]
    return reason


def test_metrics_agree_with_what_was_done(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    topics, group, users = ContractTopics(kafka), unique("metrics"), [f"user-{number}" for number in range(40)]
    topics.send(*(click(user, 0, f"old {user}") for user in users), click("user-0", 0, "old user-0"))
    topics.send(*(click(user, 2 * HOUR, f"new {user}") for user in users))
    topics.send(*(click(user, 1, f"late {user}") for user in users[:10]))
    topics.send(*(order(user, 2 * HOUR + 1, f"order {user}") for user in users), *(raw(b"no JSON", b"user-0"),) * 3)
    topics.send(*(label(user, 2 * HOUR + 2, f"label {user}") for user in users[:5]))
    with running(kafka, tmp_path / "state", group) as worker:
        until(lambda: topics.committed(group) == topics.ends(), f"everything done; {worker.tail()}")
        found = until(lambda: settled(samples(worker)), "gauges of the end")

    events = found["sluice_events_total"]
    assert events == {(CLICKSTREAM,): 94, (ORDERS,): 40, (LABELS,): 5}
    outputs = found["sluice_outputs_total"]
    assert {name: outputs[name,] for name in (INTENT_EVENTS, RISK_EVENTS, DECISIONS, SESSION_EVENTS)} == {
        INTENT_EVENTS: 80,
        RISK_EVENTS: 40,
        DECISIONS: 40,
        SESSION_EVENTS: 40,
    }
    assert found["sluice_dead_letters_total"] == {("malformed_json",): 3, ("late_event",): 10}
    assert found["sluice_late_events_total"] == {(CLICKSTREAM,): 10}
    assert found["sluice_duplicate_events_total"] == {(): 1}
    assert found["sluice_closed_sessions_total"] == {(): 40}
    assert sum(found["sluice_state_rows"].values()) == sum(found["sluice_live_sessions"].values()) == 40
    assert all(size > 0 for size in found["sluice_state_bytes"].values())
    assert found["sluice_batch_records_sum"][()] == sum(events.values())
    assert 0 < found["sluice_batch_seconds_sum"][()] < 60
    assert found["sluice_model_seconds_sum"].keys() == {("intent",), ("risk",)}
    assert all(0 < seconds < 60 for seconds in found["sluice_model_seconds_sum"].values())
    assert found["sluice_stage_seconds_count"]["compute",] == found["sluice_batch_seconds_count"][()]
    assert found["sluice_commits_total"][()] >= 1
    assert found["sluice_failed_commits_total"][()] == 0
    assert len(found["sluice_lag_records"]) == 3 * PARTITIONS
    assert found["sluice_buffered_records"] == {(CLICKSTREAM,): 0, (ORDERS,): 0, (LABELS,): 0}
    assert sum(found["sluice_enforced_alignments_total"].values()) >= 1
    watermarks = found["sluice_watermark_timestamp_seconds"].values()
    assert all(seconds >= (START + 2 * HOUR) / 1_000 for seconds in watermarks)
    assert all(seconds > DAY / 1_000 for seconds in found["sluice_watermark_lag_seconds"].values())


def settled(found: Samples) -> Samples | None:
    """They are looked at once a second: those after the last record."""
    lags = found.get("sluice_lag_records", {})
    return found if lags and not any(lags.values()) and sum(found["sluice_state_rows"].values()) == 40 else None


def test_readiness_ends_with_the_brokers_answers_and_returns_with_them(
    own_broker: DevelopmentBroker, tmp_path: Path
) -> None:
    """Pain 20: a dead group with a living process."""
    topics, group = ContractTopics(own_broker.address), unique("ready")
    with running(own_broker.address, tmp_path / "state", group) as worker:
        assert readiness(worker) in ("no partitions are assigned", "partitions 0, 1, 2, 3 not recovered yet")
        worker.until_ready()
        own_broker.kill()
        until(lambda: "has not answered a fetch" in readiness(worker), "a worker that knows its broker is gone")
        assert worker.get("/healthz").status == 200
        own_broker.start()
        worker.until_ready()
        topics.send(*(click(f"u{number}", number, f"c{number}") for number in range(50)))
        until(lambda: topics.committed(group) == topics.ends(), f"new clicks done; {worker.tail()}")
        assert topics.count(INTENT_EVENTS) == 50
        worker.stop()


def test_a_broker_that_crashes_under_load_and_returns_loses_nothing(
    own_broker: DevelopmentBroker, tmp_path: Path
) -> None:
    topics, group, count = ContractTopics(own_broker.address), unique("returns"), 60_000
    topics.send(*(click(f"u{number % 3_000}", number, f"c{number}") for number in range(count)))
    with running(own_broker.address, tmp_path / "state", group, max_batch_records=200) as worker:
        until(lambda: topics.count(INTENT_EVENTS) > 1_000, f"outputs; {worker.tail()}")
        own_broker.kill()
        own_broker.start()
        until(lambda: topics.committed(group) == topics.ends(), f"everything done; {worker.tail()}")
        worker.stop()
    seen = [record.body["source_event_id"] for record in topics.read(INTENT_EVENTS)]
    assert set(seen) == {f"c{number}" for number in range(count)}


def test_lag_without_progress_ends_the_worker(own_broker: DevelopmentBroker, tmp_path: Path) -> None:
    """Pain 19: a worker that stands still and says nothing keeps its partitions for ever."""
    topics = ContractTopics(own_broker.address)
    topics.send(*(click(f"u{number % 3_000}", number, f"c{number}") for number in range(60_000)))
    broker = own_broker.running()
    assert broker is not None
    with running(
        own_broker.address, tmp_path / "state", unique("still"), max_batch_records=100, watchdog_s=3
    ) as worker:
        until(lambda: samples(worker).get("sluice_lag_records"), f"a lag; {worker.tail()}")
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            assert worker.end(20) == 1
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        assert re.search(r"no progress for \d+ s with a lag of \d+ records", worker.tail())
