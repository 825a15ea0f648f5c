"""What was published is held against what the replay gives."""

import json
from typing import Any

from app.learning.published import Check, scores_of
from schemas.topics import INTENT_EVENTS, RISK_EVENTS
from tests.fakes import fake_models
from tests.harness import Record, Worker, click, on, order
from tests.learning import topics

INPUTS = [click("u", 0, "a"), click("v", 1, "b"), order("u", 2, "o"), click("u", 3, "c")]


def values(topic: str) -> list[dict[str, Any]]:
    found: list[Record] = on(topic, Worker(fake_models()).run(*INPUTS))
    return [record.body for record in found]


def checked(topic: str, bodies: list[dict[str, Any]]) -> dict[str, int]:
    check = Check(topic, "1", scores_of(topics.of(*INPUTS), topic))
    check.take(json.dumps(body).encode() for body in bodies)
    return dict(check.counts)


def test_what_the_path_published_is_what_it_gives_again() -> None:
    assert checked(INTENT_EVENTS, values(INTENT_EVENTS))["equal"] == 3
    assert checked(RISK_EVENTS, values(RISK_EVENTS))["equal"] == 1


def test_another_score_another_version_and_an_unknown_input_are_told_apart() -> None:
    first, second, third = values(INTENT_EVENTS)
    first["purchase_probability"] += 0.01
    second["model"]["version"] = "2"
    third["source_event_id"] = "gone"
    found = checked(INTENT_EVENTS, [first, second, third])
    assert found == {"equal": 0, "different": 1, "other_versions": 1, "unknown": 1}
