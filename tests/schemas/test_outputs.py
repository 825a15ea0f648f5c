"""Output events carry the contract's names, and no others."""

from collections.abc import Sequence

import msgspec
import pytest
from msgspec import Struct

from schemas import outputs
from schemas.headers import CLOUD_EVENT_HEADERS, DEAD_LETTER_HEADERS
from schemas.outputs import (
    ACTIONS,
    COLORS,
    INTENTS,
    OUTCOMES,
    QUERY_INTENTS,
    RISK_LEVELS,
    Alert,
    Decision,
    FailureType,
    IntentEvent,
    Probabilities,
    RiskEvent,
    SessionEvent,
    SlotValues,
)

COMMON = "event_id source_event_id user_id ts scored_at model"
FIELDS: dict[type[Struct], str] = {
    IntentEvent: f"{COMMON} session_id intent probabilities purchase_probability query_intent language slots "
    "text_model session reasons "
    "purchase_24h_probability abandonment_probability exit_probability next_action next_category",
    RiskEvent: f"{COMMON} order_id risk_score risk_level probability reasons rules decision ruleset_version partial",
    Decision: f"{COMMON} decision_id subject action policy reasons techniques expires_at supersedes partial",
    Alert: f"{COMMON} alert_id kind severity title subject count first_ts last_ts reasons techniques",
    SessionEvent: f"{COMMON} session_id started_at ended_at events counts cart_value outcome intent_path conversation",
    outputs.Conversation: "messages wanted satisfaction solved text_model",
    SlotValues: "category color brand size price_min price_max currency",
    outputs.SessionState: "started_at events duration_ms cart_value",
    outputs.IntentReason: "feature contribution text text_zh value",
    outputs.Reason: "code source contribution feature value text technique",
    outputs.RuleHit: "id version mode score",
    outputs.DecisionRef: "decision_id action",
    outputs.Subject: "type id",
    outputs.ModelRef: "name version",
    Probabilities: "browse search compare purchase abandon support return",
}


@pytest.mark.parametrize("struct", FIELDS)
def test_fields_are_those_of_the_contract(struct: type[Struct]) -> None:
    assert sorted(struct.__struct_encode_fields__) == sorted(FIELDS[struct].split())


def test_probabilities_are_in_the_order_of_the_intents() -> None:
    assert Probabilities.__struct_encode_fields__ == INTENTS
    encoded = msgspec.json.encode(Probabilities(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert b'"return":0.0' in encoded


@pytest.mark.parametrize(
    ("names", "count", "first", "last"),
    [
        (INTENTS, 7, "browse", "return"),
        (QUERY_INTENTS, 16, "find_product", "other"),
        (COLORS, 15, "black", "multicolor"),
        (RISK_LEVELS, 4, "normal", "not_assessed"),
        (OUTCOMES, 4, "purchase", "support"),
    ],
)
def test_enumerations_are_whole(names: Sequence[str], count: int, first: str, last: str) -> None:
    assert (len(set(names)), names[0], names[-1]) == (count, first, last)


def test_actions_go_from_mildest_to_strictest() -> None:
    assert ACTIONS == ("allow", "warn", "verify", "review", "block", "freeze")


def test_absent_slots_stay_out_of_the_json() -> None:
    assert msgspec.json.encode(SlotValues(color="white")) == b'{"color":"white"}'


def test_dead_letter_headers_are_kafka_connect_s() -> None:
    connect = ("topic", "partition", "offset", "stage", "exception.class.name", "exception.message")
    assert (*(f"__connect.errors.{name}" for name in connect), "x-failure-type") == DEAD_LETTER_HEADERS


def test_cloud_event_headers_are_those_of_binary_mode() -> None:
    names = "ce_id ce_type ce_source ce_time ce_specversion content-type traceparent"
    assert names.split() == list(CLOUD_EVENT_HEADERS)


def test_failure_types_are_those_of_the_contract() -> None:
    names = "malformed_json schema_violation size_violation late_event model_failure output_too_large"
    assert names.split() == list(FailureType)
