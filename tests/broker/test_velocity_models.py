"""A model that names velocities takes over while a worker runs, and is told what the topics have had before."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli.models import models
from app.cli.models_copy import copied
from app.kafka.partition import partition_of
from app.models.runtime import load_risk
from schemas.topics import RISK_EVENTS
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import running, until
from tests.fakes import fake_models
from tests.harness import DAY, Input, Record, Worker, label, on, order
from tests.models.repositories import COMMITTED, add_version, committed

pytestmark = [pytest.mark.broker, pytest.mark.slow]

USERS = [f"user-{number}" for number in range(6)]
ORDERS = [order(user, 2 * number * DAY, f"{number}", value=60.0, merchant_id="m") for number, user in enumerate(USERS)]
LABELS = [label(user, 5 * DAY, f"label-{number}", order_id=f"order-{number}") for number, user in enumerate(USERS[:2])]
STORY = [*ORDERS[:3], *LABELS, *ORDERS[3:]]
"""Two users' orders turn out to be frauds; a week after each, the merchant that both were at is known for it."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The models, and the payment model as version 2 of that of orders."""
    made = committed(tmp_path / "onnx")
    add_version(made, "payments", "1", source=COMMITTED / "payments" / "1")
    copied(made, "payments", "1", "risk")
    return made


def risks(records: list[Record]) -> dict[str, dict[str, Any]]:
    """The risk events, by the id of the order."""
    return {record.body["source_event_id"]: record.body for record in on(RISK_EVENTS, records)}


def send(topics: ContractTopics, *inputs: Input) -> None:
    """Send these, and wait for what becomes of the orders among them."""
    before = topics.count(RISK_EVENTS)
    topics.send(*inputs)
    orders = sum(one in ORDERS for one in inputs)
    until(lambda: topics.count(RISK_EVENTS) == before + orders, f"{orders} risk events")


def test_the_users_are_in_several_partitions() -> None:
    assert len({partition_of(user.encode(), PARTITIONS) for user in USERS[3:]}) > 1


def test_a_version_that_names_velocities_is_promoted_and_says_what_a_replay_says(
    topics: ContractTopics, repository: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"model_repository": repository, "risk_version": "1"}
    with running(topics.broker, tmp_path / "state", unique("velocities"), **settings) as worker:
        worker.until_ready()
        send(topics, *STORY[:5])
        flags = ["--json", "--broker", topics.broker, "--model-repository", str(repository)]
        promotion = CliRunner().invoke(models, ["promote", "risk/2", *flags])
        assert promotion.exit_code == 0, promotion.stderr
        assert json.loads(promotion.stdout)["serving"] == "2"
        for one in STORY[5:]:
            send(topics, one)
        worker.stop()
    found = risks(topics.read(RISK_EVENTS))
    assert [found[str(number)]["model"]["version"] for number in range(6)] == ["1", "1", "1", "2", "2", "2"]
    named = replace(fake_models(), risk=load_risk(repository, version="2", provider="cpu"))
    expected = risks(Worker(named, PARTITIONS).run(*STORY))
    for number in ("3", "4", "5"):
        told, same = found[number], expected[number]
        assert "partial" not in told
        assert (told["probability"], told["reasons"]) == (same["probability"], same["reasons"])
    assert found["3"]["probability"] < 0.01 < 0.9 < found["5"]["probability"]
    streak = next(reason for reason in found["5"]["reasons"] if "STREAK_UP_TO_220_30D_AFTER_7D" in reason["code"])
    assert (streak["value"], streak["text"]) == (
        2.0,
        "known frauds in a row up to 220 by merchant in 30 d, 7 d ago: 2",
    )
