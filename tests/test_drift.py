"""Drift through the whole path: from clicks and orders to alerts, the same however the input was cut."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from app.drift.distribution import Distribution, reference_of
from app.drift.windows import DriftLimits
from app.features.clicks import CLICK_FEATURES
from app.features.inputs import RISK_INPUTS
from app.models.runtime import Floats, IntentScorer, IntentScores
from app.models.trial import Canary, Trial
from app.step import Models
from app.text.recogniser import Understood
from app.text.slots import Slots
from schemas.outputs import Alert
from schemas.topics import ALERTS
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import HOUR, MINUTE, START, Input, Record, Worker, click, on, order

CLICKS, ORDERS = [feature.name for feature in CLICK_FEATURES], RISK_INPUTS.names
LIMITS = DriftLimits(window_ms=HOUR, one_in=2, min_rows=20)


def reference(names: Sequence[str], scores: np.ndarray) -> Distribution:
    """Of rows whose inputs are all zero."""
    zeros = np.zeros((len(scores), len(names)))
    return Distribution(reference_of(names, zeros, scores, np.ones(len(scores))), names)


def watched(version: str = "1", limits: DriftLimits = LIMITS) -> Models:
    intent, risk = FakeIntentModel(version), FakeRiskModel()
    intent.distribution = reference(CLICKS, np.linspace(0, 1, 100))  # type: ignore[attr-defined]
    risk.distribution = reference(ORDERS, np.linspace(0, 1, 100))  # type: ignore[attr-defined]
    return Models(intent, risk, drift=limits)


def events(count: int, start: int = 0) -> list[Input]:
    """A click every half minute by one of twenty users, and an order after every third."""
    found = []
    for number in range(count):
        user, at = f"u{number % 20}", start + number * MINUTE // 2
        found.append(click(user, at, f"c{start}-{number}", "product_viewed", price=80.0))
        if number % 3 == 0:
            found.append(order(user, at + 1, f"o{start}-{number}"))
    return found


class Certain(FakeIntentModel):
    """Sure of every purchase."""

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        return super().score(features, hidden)._replace(purchase=np.full(len(features), 0.99, np.float32))


def drift(records: Sequence[Record]) -> list[dict[str, Any]]:
    return [record.body for record in on(ALERTS, records) if record.body["kind"] == "drift"]


def test_an_input_that_moved_raises_one_alert_that_names_model_input_and_window() -> None:
    found = drift(Worker(watched()).run(*events(121)))
    prices = [alert for alert in found if ":price:" in alert["alert_id"]]
    (price,) = prices
    msgspec.convert(price, Alert)
    assert price["subject"] == {"type": "model", "id": "fake-intent/1"}
    assert price["model"] == {"name": "fake-intent", "version": "1"}
    assert price["reasons"] == ["DRIFT_INPUT"]
    assert "price has moved away from training" in price["title"]
    assert price["count"] >= LIMITS.min_rows
    assert len({alert["event_id"] for alert in found}) == len(found)


def test_orders_are_watched_as_clicks_are() -> None:
    found = drift(Worker(watched()).run(*events(121)))
    assert "drift:fake-risk/1:amount:" in " ".join(alert["alert_id"] for alert in found)


def test_inputs_that_are_as_in_training_raise_none() -> None:
    found = drift(Worker(watched()).run(*events(121)))
    assert not [alert for alert in found if ":is_message_sent:" in alert["alert_id"]]


@pytest.mark.parametrize("size", [1, 7])
def test_drift_is_the_same_however_the_input_was_cut(size: int) -> None:
    inputs = events(700)
    whole, cut = Worker(watched(), partitions=3), Worker(watched(), partitions=3)
    found = [record for start in range(0, len(inputs), size) for record in cut.run(*inputs[start : start + size])]
    expected = drift(whole.run(*inputs))
    assert expected
    key = json.dumps
    assert sorted(map(key, drift(found))) == sorted(map(key, expected))


def test_what_moved_is_told_once_by_the_partition_that_stands_for_all() -> None:
    alerts = on(ALERTS, Worker(watched(), partitions=3).run(*events(700)))
    found = [record for record in alerts if record.body["kind"] == "drift"]
    ids = [record.body["alert_id"] for record in found]
    assert ids
    assert len(set(ids)) == len(ids)
    assert {record.partition for record in found} == {0}


def test_after_a_restart_the_rest_of_the_window_is_judged_under_the_same_id() -> None:
    inputs = events(121)
    ids = {alert["alert_id"] for alert in drift(Worker(watched()).run(*inputs))}
    first = Worker(watched())
    first.run(*inputs[:30])
    again = drift(first.restarted().run(*inputs[30:]))
    assert again
    assert {alert["alert_id"] for alert in again} <= ids


def test_a_version_that_takes_over_begins_with_empty_windows() -> None:
    worker = Worker(watched())
    inputs = events(121)
    worker.run(*inputs[:-8])
    worker.pipeline.models = replace(worker.pipeline.models, intent=watched("2").intent)
    found = drift(worker.run(*inputs[-8:]))
    assert not [alert for alert in found if alert["model"]["name"] == "fake-intent"]


def test_what_a_canary_says_is_not_laid_to_the_version_that_serves() -> None:
    inputs, models = events(121), watched()
    models.intent.distribution = reference(CLICKS, np.full(100, 0.9))  # type: ignore[attr-defined]
    canary: Canary[IntentScorer] = Canary(Certain("2"), share=0.5)
    found = drift(Worker(replace(models, intent_trial=Trial(canary=canary))).run(*inputs))
    assert ":price:" in " ".join(alert["alert_id"] for alert in found)
    assert not [alert for alert in found if alert["alert_id"].startswith("drift:fake-intent/1:score:")]


def test_models_without_a_reference_and_windows_of_no_length_are_not_watched() -> None:
    inputs = events(121)
    assert drift(Worker().run(*inputs)) == []
    assert drift(Worker(watched(limits=replace(LIMITS, window_ms=0))).run(*inputs)) == []


class Shopper:
    """Reads a text as the intent that it names."""

    name, version = "fake-text", "7"

    def read(self, texts: Sequence[str]) -> list[Understood]:
        return [Understood(text, "en", Slots(), 0.5, 0.5, confidence=0.9) for text in texts]


def says(wanted: Sequence[str], hours: int) -> list[dict[str, Any]]:
    """The alerts on texts, whose writers want one thing each hour, in turn."""
    begin = -START % HOUR
    inputs = [
        click(f"u{minute % 20}", begin + minute * MINUTE, f"m{minute}", "products_searched", query=wanted[minute // 60])
        for minute in range(60 * hours)
    ]
    found = drift(Worker(replace(watched(), text=Shopper())).run(*inputs))
    return [alert for alert in found if alert["model"]["name"] == "fake-text"]


def test_texts_that_ask_for_something_else_than_in_the_window_before_raise_one_alert() -> None:
    (alert,) = says(["find_product", "find_product", "payment_problem", "payment_problem", "payment_problem"], 5)
    msgspec.convert(alert, Alert)
    assert "query_intent has moved away from the window before" in alert["title"]
    assert alert["model"] == {"name": "fake-text", "version": "7"}
    assert alert["reasons"] == ["DRIFT_INPUT"]


def test_texts_as_in_the_window_before_raise_none() -> None:
    assert says(["find_product"] * 4, 4) == []
