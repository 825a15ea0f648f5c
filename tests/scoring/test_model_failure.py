"""What a model without a finite answer costs: one click or one order, told as such, and nobody's state."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest

from app.features.clicks import CLICK_FEATURES
from app.features.orders import ORDER_FEATURES
from app.models.runtime import IntentScores, RiskScores
from app.step import Models
from schemas.topics import ALERTS, DEAD_LETTER, DECISIONS, INTENT_EVENTS, RISK_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel, Floats
from tests.harness import GAP, Worker, click, failures, on, order, scored

PRICE = [feature.name for feature in CLICK_FEATURES].index("price")
AMOUNT = [feature.name for feature in ORDER_FEATURES].index("amount")
BROKEN = 666.0
"""Clicks of this price and orders of this value have no finite score."""

Part = Literal["hidden", "probabilities", "purchase", "outlook"]


@dataclass
class FailingIntentModel(FakeIntentModel):
    """Gives ``value`` in some of its outputs for clicks of the price ``BROKEN``."""

    parts: tuple[Part, ...]
    value: float = float("nan")
    calls: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        scores = super().score(features, hidden)
        broken = features[:, PRICE] == BROKEN
        columns = {name: column for name, column in scores._asdict().items() if column is not None}
        for part in self.parts:
            columns[part] = columns[part].copy()
            columns[part][broken] = self.value
        return IntentScores(**columns)


class FailingRiskModel(FakeRiskModel):
    """Gives NaN for orders of the value ``BROKEN``."""

    def score(self, features: Floats) -> RiskScores:
        scores = super().score(features)
        broken = features[:, AMOUNT] == BROKEN
        probability = np.where(broken, np.float32("nan"), scores.probability)
        return RiskScores(probability, np.where(broken[:, None], np.float32("nan"), scores.contributions))


def clicks_of(worker: Worker, *prices: float, together: bool) -> list[str]:
    """Scores one user's clicks of these prices; tells the ids of those that were scored."""
    inputs = [click("u", number, f"{number}", price=price) for number, price in enumerate(prices)]
    return scored(worker.run(*inputs) if together else worker.each(*inputs))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("part", ["purchase", "probabilities", "outlook"])
def test_a_click_without_a_finite_score_is_a_dead_letter_and_its_neighbours_are_scored(
    part: Part, value: float, together: bool
) -> None:
    worker = Worker(Models(FailingIntentModel((part,), value), FakeRiskModel()))
    bad = click("u", 1, "bad", price=BROKEN)
    inputs = [click("u", 0, "a"), bad, click("u", 2, "b"), click("v", 3, "c")]
    found = worker.run(*inputs) if together else worker.each(*inputs)
    assert sorted(scored(found)) == ["a", "b", "c"]
    (letter,) = on(DEAD_LETTER, found)
    assert (letter.key, letter.value) == (bad.key, bad.value)
    assert letter.header("x-failure-type") == "model_failure"
    assert letter.header("__connect.errors.stage") == "score"
    assert letter.header("__connect.errors.offset") == "1"
    assert "fake-intent" in letter.header("__connect.errors.exception.message")


@pytest.mark.parametrize("together", [True, False])
def test_a_state_that_is_not_finite_begins_anew(together: bool) -> None:
    worker = Worker(Models(FailingIntentModel(("hidden", "probabilities", "purchase")), FakeRiskModel()))
    assert clicks_of(worker, 1.0, BROKEN, 2.0, 3.0, together=together) == ["0", "2", "3"]
    table = worker.pipeline.state.table
    hidden = table.rows["hidden"][table.slot("u")]
    assert np.isfinite(hidden).all()
    assert hidden.any()


def test_a_failed_click_still_counts_in_its_session() -> None:
    worker = Worker(Models(FailingIntentModel(("purchase",)), FakeRiskModel()))
    found = worker.run(click("u", 0, "a"), click("u", 1, "bad", price=BROKEN), click("u", 2 + GAP, "b"))
    assert on("session-events", found)[0].body["counts"] == {"page_viewed": 2}


def test_a_step_whose_clicks_all_failed_publishes_dead_letters_alone() -> None:
    worker = Worker(Models(FailingIntentModel(("purchase",)), FakeRiskModel()))
    found = worker.run(click("u", 0, "a", price=BROKEN), click("v", 0, "b", price=BROKEN))
    assert failures(found) == ["model_failure"] * 2
    assert len(found) == 2
    assert on(INTENT_EVENTS, found) == []


def test_an_order_without_a_finite_score_is_not_assessed_and_reviewed() -> None:
    worker = Worker(Models(FakeIntentModel(), FailingRiskModel()))
    found = worker.run(order("u", 0, "bad", value=BROKEN), order("u", 1, "good"))
    bad, good = (record.body for record in on(RISK_EVENTS, found))
    assert bad["risk_level"] == "not_assessed"
    assert bad.keys().isdisjoint({"risk_score", "probability"})
    assert [reason["code"] for reason in bad["reasons"]] == ["MODEL_FAILURE"]
    assert bad["decision"]["action"] == "review"
    assert good["risk_level"] != "not_assessed"
    assert [record.body["action"] for record in on(DECISIONS, found)] == ["review", good["decision"]["action"]]
    assert [record.body["source_event_id"] for record in on(ALERTS, found)] == ["good"]
    assert on(DEAD_LETTER, found) == []
