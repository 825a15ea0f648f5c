"""`sluice worker` that cannot work: one line that says what to do, and an exit code."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from app.demo.run import STARTER
from app.kafka.devbroker.ports import LOOPBACK
from app.kafka.topics import Topic, create_topics, delete_topics
from schemas.topics import CLICKSTREAM, INPUTS, LABELS, ORDERS, OUTPUTS, TOPICS
from tests.broker.command import Ended, sluice
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import running
from tests.harness import click, order

pytestmark = pytest.mark.broker

MODELS = Path(__file__).resolve().parent.parent.parent / "onnx"
CLOSED_PORT = f"{LOOPBACK}:1"


def worker(broker: str, folder: Path, *flags: str) -> Ended:
    return sluice("worker", "--broker", broker, "--state-dir", str(folder), "--group", unique("group"), *flags)


def assert_one_line(ended: Ended, *said: str) -> None:
    """It ended as one that was configured wrongly, and said this, in one line."""
    assert (ended.code, ended.output) == (2, ""), ended
    (line,) = ended.error.splitlines()
    assert line.startswith("sluice: ")
    for part in said:
        assert part in line


def assert_last_line(error: str, *said: str) -> None:
    """After its log it said this."""
    *_, line = error.splitlines()
    assert line.startswith("sluice: ")
    for part in said:
        assert part in line


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    assert_one_line(
        worker(CLOSED_PORT, tmp_path), f"no Kafka answers at {CLOSED_PORT}", "sluice kafka start", "--broker"
    )


def test_topics_that_are_not_there(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    make_topics([CLICKSTREAM], PARTITIONS)
    assert_one_line(worker(kafka, tmp_path), ORDERS, LABELS, "`sluice topics create`")


def test_topics_with_different_numbers_of_partitions(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    make_topics([topic.name for topic in TOPICS if topic.name != ORDERS], PARTITIONS)
    make_topics([ORDERS], PARTITIONS + 1)
    assert_one_line(worker(kafka, tmp_path), "same number of partitions", "orders 5", "clickstream 4")


def test_a_model_that_is_missing(tmp_path: Path) -> None:
    assert_one_line(worker(CLOSED_PORT, tmp_path, "--model-repository", str(tmp_path / "none")), str(tmp_path / "none"))


@pytest.mark.parametrize("file", ["model.onnx", "manifest.json"])
def test_a_model_that_is_damaged(tmp_path: Path, file: str) -> None:
    models = tmp_path / "models"
    shutil.copytree(MODELS, models)
    damaged = max(models.glob(f"intent/*/{file}"), key=lambda path: int(path.parent.name))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert_one_line(worker(CLOSED_PORT, tmp_path, "--model-repository", str(models)), str(damaged.parent))


def test_topics_of_velocities_that_cannot_be_used_are_named_at_once(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    """Orders of a backlog would wait for answers until the watchdog ended the worker."""
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    ContractTopics(kafka).send(order("u", 0, "1", device_id="d"))
    group = unique("group")
    asyncio.run(create_topics(kafka, [Topic(f"{group}-velocity-asks", PARTITIONS + 1)]))
    ruleset = ["--ruleset", str(STARTER), "--until-end", "--group", group]
    ended = sluice("worker", "--broker", kafka, "--state-dir", str(tmp_path), *ruleset)
    assert ended.code == 2, ended
    assert_last_line(
        ended.error, f"{group}-velocity-asks", "has 5 partitions and not 4", "rules and models that name no velocity"
    )


def test_a_port_that_is_taken(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    _, _, port = kafka.partition(":")
    ended = worker(kafka, tmp_path, "--http-port", port)
    assert ended.code == 2
    assert_last_line(ended.error, f"port {port}", "http_port")


@pytest.mark.slow
def test_a_state_folder_that_another_worker_uses(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    with running(kafka, tmp_path / "state", unique("group")) as first:
        first.until_ready()
        second = worker(kafka, tmp_path / "state", "--instance", "one", "--http-port", "0")
        assert second.code == 2
        assert_last_line(second.error, str(tmp_path / "state" / "one"))
        assert first.process.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("refused", ["changelog", "outputs"])
def test_records_that_the_broker_refuses_end_the_worker_and_commit_nothing(
    kafka: str, make_topics: MakeTopics, tmp_path: Path, refused: str
) -> None:
    """Pains 3 and 4: a delivery that failed was only logged, and offsets moved on."""
    group = unique("refused")
    small = {"max.message.bytes": "100"}
    changelog = f"{group}-sessions-changelog"
    made = [changelog]
    make_topics([topic.name for topic in INPUTS], PARTITIONS)
    if refused == "changelog":
        make_topics([topic.name for topic in OUTPUTS], PARTITIONS)
        asyncio.run(create_topics(kafka, [Topic(changelog, PARTITIONS, {"cleanup.policy": "compact"} | small)]))
    else:
        made = [topic.name for topic in OUTPUTS]
        asyncio.run(create_topics(kafka, [Topic(name, PARTITIONS, small) for name in made]))
    topics = ContractTopics(kafka)
    topics.send(*(click(f"u{number}", number, f"c{number}") for number in range(20)))
    try:
        with running(kafka, tmp_path / "state", group) as process:
            assert process.end() == 1
            assert_last_line(process.log.read_text(), "MessageSizeTooLarge", "were not delivered")
        assert set(topics.committed(group).values()) == {0}
    finally:
        asyncio.run(delete_topics(kafka, made))


def test_nothing_to_do_until_the_end_is_done_at_once(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    ended = worker(kafka, tmp_path, "--until-end", "--http-port", "0", "--json")
    assert ended.code == 0, ended.error
    assert json.loads(ended.output)["events_in"] == 0
