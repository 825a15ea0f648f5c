"""A backtest on a real Kafka's topics says what one on the same events in a file says."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import DONE, main
from schemas.topics import TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.harness import HOUR, MINUTE, label, order

pytestmark = pytest.mark.broker

ORDERS = [
    *(order(f"u{at}", at * MINUTE, f"{at}", value=50.0 + at, device_id=f"d{at % 3}") for at in range(60)),
    order("u60", 2 * HOUR, "nothing to pay", value=0),
]
LABELS = [
    label("u3", 3 * HOUR, "l1", order_id="order-3", label="fraud"),
    label("u3", 3 * HOUR + 1, "l2", order_id="order-3", label="chargeback"),
    label("u9", 3 * HOUR, "l3", order_id="order-9", label="fraud"),
    label("u9", 3 * HOUR + 1, "l4", order_id="order-9", label="legitimate"),
    label("u5", 3 * HOUR, "l5", order_id="order-nobody", label="fraud"),
]
RULESET = """
id: devices
version: 1
policies: [{id: p, thresholds: {review: 101}}]
guard: {max_share: 1}
rules:
- {id: busy, when: device_orders_10m >= 4, action: block, reason: BUSY, text: Busy., owner: risk}
- {id: crowd, when: device_users_1h >= 15, mode: shadow, reason: CROWD, text: Crowd., owner: risk}
"""


def test_orders_in_topics_are_judged_as_those_in_a_file(
    kafka: str, make_topics: MakeTopics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ruleset, events = tmp_path / "ruleset.yaml", tmp_path / "events.jsonl"
    ruleset.write_text(RULESET)
    events.write_bytes(b"".join((one.value or b"") + b"\n" for one in ORDERS + LABELS))
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    ContractTopics(kafka).send(*ORDERS, *LABELS)

    def found(*where: str) -> dict[str, Any]:
        assert main(["rules", "backtest", str(ruleset), *where, "--json"]) == DONE
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    of_topics = found("--from-topics", "--broker", kafka)
    assert of_topics == found(str(events))
    assert of_topics["rules"]["busy"]["orders"] == 51
    assert (of_topics["dead_letters"], of_topics["labels"]["contradicting"]) == ({"schema_violation": 1}, 1)
