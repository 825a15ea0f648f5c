"""Rulesets on a real Kafka: put from the command line, in force on running workers, refused when wrong."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import DONE, main
from app.kafka.compacted import write
from app.rules.records import KEY
from schemas.topics import DECISIONS, RISK_EVENTS, RULESETS
from tests.broker.contract_topics import ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import running, until
from tests.harness import on, order

pytestmark = [pytest.mark.broker, pytest.mark.slow]

RULESET = """
id: shop
version: {version}
policies: [{{id: p, thresholds: {{}}}}]
rules:
- {{id: a, when: value == 7, action: {action}, reason: SEVEN, text: Seven., owner: risk}}
"""


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["rules", *arguments, "--json"]) == DONE
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_ruleset_is_in_force_on_a_running_worker_a_wrong_one_is_refused_and_a_freeze_is_lifted(
    topics: ContractTopics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group, broker = unique("rules"), ["--broker", topics.broker]
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(RULESET.format(version=1, action="verify"))
    second.write_text(RULESET.format(version=2, action="freeze"))
    command(capsys, "put", str(first), *broker)

    def status() -> dict[str, Any]:
        found = command(capsys, "status", *broker).get(f"{group}/one", {})
        assert isinstance(found, dict)
        return found

    def decided(count: int) -> list[dict[str, Any]]:
        until(lambda: topics.count(RISK_EVENTS) >= count, f"{count} orders decided on")
        return [record.body for record in on(DECISIONS, topics.read(DECISIONS))]

    with running(topics.broker, tmp_path / "state", group) as worker:
        topics.send(order("u", 0, "a", value=7.0))
        assert decided(1)[0]["action"] == "verify"  # from the first step on
        until(lambda: status().get("version") == "shop/1", worker.tail)

        asyncio.run(write(topics.broker, RULESETS, {KEY: b'{"changed_at": 1, "ruleset": {"id": "shop"}}'}))
        until(lambda: status().get("refused"), worker.tail)
        assert status()["version"] == "shop/1"
        topics.send(order("u", 1, "b", value=7.0))
        assert [body["action"] for body in decided(2)] == ["verify"] * 2

        command(capsys, "put", str(second), *broker)
        until(lambda: status().get("version") == "shop/2", worker.tail)
        assert "refused" not in status()
        topics.send(order("u", 2, "c", value=7.0), order("u", 3, "d", value=1.0))
        assert sum(body["action"] == "freeze" for body in decided(4)) == 3  # two orders and the account

        command(capsys, "lift", "u", *broker)
        until(lambda: topics.count(DECISIONS) == 6, worker.tail)
        topics.send(order("u", 4, "e", value=1.0))
        assert [body["action"] for body in decided(5)][-1] == "allow"
        assert worker.stop()["outputs"][RISK_EVENTS] == 5


SHARED = """
id: shop
version: 1
policies: [{id: p, thresholds: {}}]
rules:
- {id: shared, when: device_users_24h >= 3, score: 60, action: review, reason: SHARED_DEVICE, text: "", owner: risk}
"""


def test_a_rule_on_velocities_knows_the_orders_from_before_it(
    topics: ContractTopics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ruleset = tmp_path / "shared.yaml"
    ruleset.write_text(SHARED)

    def judged(number: int) -> dict[str, Any]:
        topics.send(order(f"user-{number}", 1_000 * number, f"e{number}", device_id="d"))
        until(lambda: topics.count(RISK_EVENTS) > number, lambda: f"order {number}; {worker.tail()}")
        bodies = [record.body for record in on(RISK_EVENTS, topics.read(RISK_EVENTS))]
        return next(body for body in bodies if body["source_event_id"] == f"e{number}")

    with running(topics.broker, tmp_path / "state", unique("rules"), velocity_deadline_ms=60_000) as worker:
        assert [judged(number)["rules"] for number in range(3)] == [[], [], []]
        command(capsys, "put", str(ruleset), "--broker", topics.broker)
        until(lambda: list(command(capsys, "status", "--broker", topics.broker).values()), worker.tail)
        risk = judged(3)
    assert "partial" not in risk
    assert [reason["text"] for reason in risk["reasons"] if reason["source"] == "rule"] == [
        "users by device in 24 h = 4 >= 3"
    ]
