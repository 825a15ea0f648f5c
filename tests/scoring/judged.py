"""A worker with a few rules, and what it says of orders."""

from typing import Any

from app.step import Models
from schemas.topics import RISK_EVENTS
from tests.fakes import FakeIntentModel, RiskByValue
from tests.harness import Record, Worker, on
from tests.rules.rulesets import book


def worker(*rules: dict[str, Any], partitions: int = 1, **more: object) -> Worker:
    """Its model's probability is the order's value over 100."""
    return Worker(Models(FakeIntentModel(), RiskByValue(), rules=book(*rules, **more)), partitions)


def risks(records: list[Record]) -> list[dict[str, Any]]:
    return [record.body for record in on(RISK_EVENTS, records)]


def actions(records: list[Record]) -> list[str]:
    return [body["decision"]["action"] for body in risks(records)]
