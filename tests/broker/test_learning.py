"""From real topics to a challenger in the champion's shadow."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from app.kafka.compacted import read
from app.kafka.topics import controls, create_topics, delete_topics
from app.models.runtime import load_risk
from schemas.control import ModelControl
from schemas.topics import CONTROLS, MODEL_CONTROL, TOPICS
from tests.broker.command import sluice
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.harness import DAY, MINUTE, Input, click, label, order
from tests.models.repositories import committed

pytestmark = [pytest.mark.broker, pytest.mark.slow]

ORDERS = 360


def orders_and_labels() -> list[Input]:
    """A sixth of the orders are dear, and charged back; some labels are of orders that nobody placed."""
    found = []
    for number in range(ORDERS):
        user, at, is_bad = f"u{number % 60}", number * 30 * MINUTE, number % 6 == 0
        found.append(order(user, at, f"o{number}", value=900.0 + number if is_bad else 20.0 + number % 50))
        if is_bad:
            found.append(label(user, at + 1, f"l{number}", order_id=f"order-o{number}", label="chargeback"))
    ghost = label("u1", 9 * DAY, "ghost", order_id="nobody's", label="fraud")
    return [*found, ghost, *(click(f"u{number}", 10 * DAY, f"end-{number}") for number in range(60))]


def test_a_challenger_from_the_topics_goes_into_shadow_and_what_was_published_is_what_the_replay_gives(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    asyncio.run(create_topics(kafka, controls()))
    try:
        repository = committed(tmp_path / "onnx")
        ContractTopics(kafka).send(*orders_and_labels())
        common = ["--broker", kafka, "--model-repository", str(repository), "--json"]
        options = ["--group", unique("learning"), "--state-dir", str(tmp_path / "state"), "--until-end"]
        worked = sluice("worker", *common, *options)
        assert worked.code == 0, worked.error
        made = sluice("train", "risk", "--from-topics", *common, "--verify", "--label-days", "1", "--wait", "0")
        assert made.code == 0, made.error
        found = json.loads(made.output)
        control = msgspec.json.decode(asyncio.run(read(kafka, MODEL_CONTROL))[b"risk"], type=ModelControl)
    finally:
        asyncio.run(delete_topics(kafka, [topic.name for topic in CONTROLS]))
    assert found["published"] == {"equal": ORDERS, "different": 0, "other_versions": 0, "unknown": 0}
    assert found["labels"] == {"joined": ORDERS // 6, "of_unknown_orders": 1, "of_users": 0}
    assert found["verdict"] in ("promote", "keep")
    assert (found["model"], found["champion"]) == ("risk/2", "risk/1")
    assert (control.serving, control.shadow) == ("1", "2")
    assert load_risk(repository, version="2").distribution is not None
