"""Versions of models change while a worker runs on a real Kafka, and no event is lost."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.models import models
from app.kafka.compacted import write
from app.models.manifest import MODEL_FILE
from schemas.topics import ALERTS, DEAD_LETTER, INTENT_EVENTS, MODEL_CONTROL
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import WorkerProcess, running, until
from tests.harness import click
from tests.models.repositories import add_version, committed

pytestmark = [pytest.mark.broker, pytest.mark.slow]


class Stage:
    """A broker with topics, a model repository, and clicks without end."""

    def __init__(self, topics: ContractTopics, folder: Path) -> None:
        self.topics = topics
        self.folder = folder
        self.sent = 0
        self.repository = committed(folder / "onnx")
        add_version(self.repository, "intent", "2")
        (add_version(self.repository, "intent", "3") / MODEL_FILE).write_bytes(b"damaged")

    @contextmanager
    def load(self) -> Iterator[None]:
        """Clicks, from another thread, until the block is left."""
        over = threading.Event()

        def send() -> None:
            while not over.is_set():
                numbers = range(self.sent, self.sent + 100)
                self.topics.send(*(click(f"user-{one % 50}", one, f"{one}") for one in numbers))
                self.sent += 100
                over.wait(0.05)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            over.set()
            sender.join()

    @contextmanager
    def worker(self, group: str) -> Iterator[WorkerProcess]:
        settings: dict[str, Any] = {"model_repository": self.repository, "intent_version": "1"}
        with running(self.topics.broker, self.folder / "state", group, **settings) as worker:
            yield worker

    def models(self, *arguments: str) -> Result:
        """``sluice models`` with these arguments."""
        places = ["--broker", self.topics.broker, "--model-repository", str(self.repository)]
        return CliRunner().invoke(models, [*arguments, "--json", *places])

    def in_force(self) -> dict[str, Any]:
        """What `sluice models list` says of the click model."""
        (found,) = [one for one in json.loads(self.models("list").stdout)["models"] if one["name"] == "intent"]
        return dict(found)

    def until_more(self) -> None:
        """Until a hundred outputs more are there."""
        before = self.topics.count(INTENT_EVENTS)
        until(lambda: self.topics.count(INTENT_EVENTS) > before + 100, "outputs")


def test_versions_are_promoted_refused_and_kept_over_a_crash_under_load(topics: ContractTopics, tmp_path: Path) -> None:
    stage, group = Stage(topics, tmp_path), unique("models")
    with stage.worker(group) as worker, stage.load():
        worker.until_ready()
        stage.until_more()
        promoted = stage.models("promote", "intent/2")
        assert promoted.exit_code == 0, promoted.stderr
        answer = json.loads(promoted.stdout)
        assert (answer["serving"], answer["previous"], answer["workers"]) == ("2", "1", [f"{group}/one runs 2"])
        stage.until_more()
        asyncio.run(write(topics.broker, MODEL_CONTROL, {b"risk": b"no control record"}))
        assert stage.models("promote", "intent/3").exit_code == 2, "it does not pass here"
        refused = stage.models("promote", "intent/3", "--unchecked")
        assert refused.exit_code == 1
        assert "refused intent/3" in refused.stderr
        assert "is damaged" in refused.stderr
        stage.until_more()
        worker.kill()
    with stage.worker(group) as worker:
        worker.until_ready()
        until(lambda: topics.count(INTENT_EVENTS) == stage.sent, "every output")
        found = stage.in_force()
        assert (found["versions"], found["control"]["serving"], found["control"]["revision"]) == (
            ["1", "2", "3"],
            "2",
            3,
        )
        assert [one["serving"] for one in found["workers"]] == ["2"]
        metrics = worker.get("/metrics").text
        assert 'sluice_model_version_info{model="intent",role="serving",version="2"} 1.0' in metrics
        assert "sluice_unreadable_controls_total 1.0" in metrics
        worker.stop()
    assert stage.in_force()["workers"] == [], "a worker that has left is not listed"
    assert_no_event_was_lost(stage)


def assert_no_event_was_lost(stage: Stage) -> None:
    records = stage.topics.read(INTENT_EVENTS)
    assert Counter(record.body["source_event_id"] for record in records) == dict.fromkeys(
        map(str, range(stage.sent)), 1
    )
    for partition in range(PARTITIONS):
        made = [record.body["model"]["version"] for record in records if record.partition == partition]
        assert made == sorted(made), "after the first output of version 2 there is none of version 1"
        assert set(made) == {"1", "2"}
    assert stage.topics.count(DEAD_LETTER) == 0
    (alert,) = stage.topics.read(ALERTS)
    assert (alert.key, alert.body["kind"], alert.body["reasons"]) == (b"intent/3", "model", ["MODEL_REFUSED"])
    assert alert.header("ce_id") == alert.body["event_id"]


def test_to_command_models_without_topics_or_versions_says_what_to_do(kafka: str, tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        ended = CliRunner().invoke(models, [*arguments, "--broker", kafka])
        assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
        return str(ended.stderr)

    assert "sluice topics create" in said("list")
    assert said("promote", "intent") == "sluice: 'intent' names no version; say NAME/VERSION, as intent/2\n"
    repository = str(committed(tmp_path))
    assert "there is no intent/99" in said("promote", "intent/99", "--model-repository", repository)
