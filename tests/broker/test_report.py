"""The report of a real Kafka's topics."""

import json
from pathlib import Path

import pytest

from app.cli.main import DONE, WRONG_USAGE, main
from app.step import Models
from schemas.topics import ALERTS, RISK_EVENTS, TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.fakes import FakeIntentModel, RiskByValue
from tests.harness import HOUR, Input, Worker, label, on, order

pytestmark = pytest.mark.broker

ORDERS = [order(f"u{at}", at, f"{at}", value=50.0 + at, device_id="d") for at in range(1, 50)]
LABELS = [
    label("u49", HOUR, "l1", order_id="order-49", label="fraud"),
    label("u48", HOUR, "l2", order_id="order-48", label="legitimate"),
]


def test_the_report_reads_all_partitions_of_the_topics_to_their_ends(
    kafka: str, make_topics: MakeTopics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", "--broker", kafka, "--out", str(tmp_path / "page.html"), "--json"]
    assert main(arguments) == WRONG_USAGE
    assert "sluice topics create" in capsys.readouterr().err
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    ContractTopics(kafka).send(*ORDERS, *LABELS, *judged())
    assert main(arguments) == DONE
    found = json.loads(capsys.readouterr().out)
    assert (found["orders"], found["labelled"], found["frauds"]) == (49, 2, 1)
    assert found["stopped"]["precision"] == 0.5
    stopped = found["stopped"]["orders"]
    assert found["entities"]["device"] == {"d": {"orders": 49, "stopped": stopped, "frauds": 1}}
    assert "order-48" in (tmp_path / "page.html").read_text(encoding="utf-8")


def judged() -> list[Input]:
    """The outputs about the orders, as a worker would have published them."""
    found = Worker(Models(FakeIntentModel(), RiskByValue())).run(*ORDERS)
    outputs = [*on(RISK_EVENTS, found), *on(ALERTS, found)]
    return [Input(record.topic, record.key, record.value) for record in outputs]
