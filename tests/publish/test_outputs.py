"""What goes out keeps the contract: structs, ids, headers, probabilities, decisions, alerts."""

import json
from typing import cast
from uuid import UUID, uuid5

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.runtime import IntentScores
from app.rules.policy import _NAMESPACE, POLICY
from app.step import Models
from schemas.events import MAX_AMOUNT, MAX_ID
from schemas.headers import CLOUD_EVENT_HEADERS, DEAD_LETTER_HEADERS
from schemas.outputs import INTENTS, MAX_REASONS, NEXT_ACTIONS, OutputEvent
from schemas.topics import ALERTS, BY_NAME, DEAD_LETTER, DECISIONS, INTENT_EVENTS, RISK_EVENTS, SESSION_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel, Floats, RiskByValue
from tests.harness import (
    GAP,
    HOUR,
    MINUTE,
    SCORED_AT,
    START,
    Input,
    Record,
    Worker,
    click,
    on,
    order,
    raw,
    run,
)
from tests.schemas.strategies import ids, unhurried


def risky() -> Worker:
    return Worker(Models(FakeIntentModel(), RiskByValue()))


def decoded(record: Record) -> OutputEvent:
    """The record as its topic's struct; raises if it breaks the contract."""
    struct = BY_NAME[record.topic].struct
    assert struct is not None
    return cast(OutputEvent, msgspec.json.decode(record.value or b"", type=struct))


def story() -> list[Record]:
    """Outputs of every topic."""
    found = risky().run(
        click("u", 0, "a", "product_added", price=3.99, quantity=3, session_id="given"),
        click("u", 1_000, "b"),
        order("u", 2_000, "low", value=10.0),
        order("u", 3_000, "middle", value=60.0),
        order("u", 4_000, "high", value=95.0),
        click("u", 4_000 + 2 * GAP, "c"),
        click("v", 4_000 + 2 * GAP, "d"),
    )
    assert {record.topic for record in found} == {INTENT_EVENTS, RISK_EVENTS, DECISIONS, ALERTS, SESSION_EVENTS}
    return found


def test_every_output_is_valid_by_its_contract() -> None:
    for record in story():
        event = decoded(record)
        assert event.scored_at == SCORED_AT
        assert json.loads(msgspec.json.encode(event)) == record.body


def test_keys_are_the_inputs_or_the_subjects() -> None:
    for record in story():
        expected = record.body["subject"]["id"] if record.topic in (DECISIONS, ALERTS) else record.body["user_id"]
        assert record.key == expected.encode()


def test_every_output_names_what_made_it() -> None:
    for record in story():
        model = "fake-risk" if record.topic in (RISK_EVENTS, DECISIONS, ALERTS) else "fake-intent"
        assert record.body["model"] == {"name": model, "version": "1"}
    (risk, *_) = on(RISK_EVENTS, story())
    assert risk.body["ruleset_version"]


def test_output_ids_are_made_from_the_inputs_and_unique() -> None:
    found = story()
    made = [record.body["event_id"] for record in found]
    assert len(set(made)) == len(made)
    assert made == [record.body["event_id"] for record in story()]
    suffix = {
        INTENT_EVENTS: "intent",
        RISK_EVENTS: "risk",
        DECISIONS: "decision",
        ALERTS: "alert",
        SESSION_EVENTS: "closed",
    }
    for record in found:
        assert record.body["event_id"] == f"{record.body['source_event_id']}:{suffix[record.topic]}"


def test_sessions_of_two_users_with_the_same_id_and_start_are_two_events() -> None:
    clicks = [click(user, 0, f"{user} a", session_id="1") for user in "uv"]
    found = on(SESSION_EVENTS, run(*clicks, *(click(user, HOUR, f"{user} b") for user in "uv")))
    assert len({record.body["event_id"] for record in found}) == 2


@pytest.mark.parametrize("text", ["x" * MAX_ID, "鍵" * MAX_ID, '"\\\n\x7f\u2028é😀 ', "\x00", "{}", "a:b"])
def test_ids_of_any_length_and_letters_come_out_whole(text: str) -> None:
    add = click(text, 0, text, "product_added", session_id=text, price=1.0)
    worker = risky()
    found = worker.run(add, order(text, 1, text[:-1] + "o", value=95.0, order_id=text), click(text, 2 * HOUR, "next"))
    assert {record.topic for record in found} == {INTENT_EVENTS, RISK_EVENTS, DECISIONS, ALERTS, SESSION_EVENTS}
    for record in found:
        event = decoded(record)
        assert event.user_id == text
    assert (found[0].body["source_event_id"], found[0].body["session_id"]) == (text, text)


# Intent events.


@settings(unhurried, max_examples=40)
@given(
    event_id=ids,
    user=ids,
    session=st.none() | ids,
    price=st.none() | st.floats(0, MAX_AMOUNT),
    quantity=st.none() | st.integers(0, 10**9),
    after=st.integers(-HOUR, HOUR),
)
def test_intent_events_are_exactly_what_their_struct_would_encode(
    event_id: str, user: str, session: str | None, price: float | None, quantity: int | None, after: int
) -> None:
    made = click(user, after, event_id, "product_added", session_id=session, price=price, quantity=quantity)
    (record,) = run(made)
    assert json.loads(msgspec.json.encode(decoded(record))) == record.body
    assert (record.body["source_event_id"], record.body["user_id"], record.key) == (event_id, user, user.encode())
    assert record.body["session_id"] == session or session is None
    assert record.body["ts"] == record.body["session"]["started_at"] == START + after
    cart = min((price or 0) * (1 if quantity is None else quantity), 1e9)
    assert record.body["session"]["cart_value"] == pytest.approx(cart, rel=1e-9, abs=1e-4)


def test_probabilities_are_those_of_all_intents_and_sum_to_one() -> None:
    found = run(*(click(f"u{number}", number, f"{number}", price=float(number)) for number in range(300)))
    for record in found:
        chances = record.body["probabilities"]
        assert set(chances) == set(INTENTS)
        assert sum(chances.values()) == pytest.approx(1, abs=1e-6)
        assert all(0 <= chance <= 1 for chance in chances.values())
        assert chances[record.body["intent"]] == max(chances.values())
        assert 0 <= record.body["purchase_probability"] <= 1


def test_probabilities_of_a_certain_model_still_sum_to_one() -> None:
    class Certain(FakeIntentModel):
        def score(self, features: Floats, hidden: Floats) -> IntentScores:
            scores = super().score(features, hidden)
            chances = np.zeros_like(scores.probabilities)
            chances[:, 3] = 1
            return IntentScores(scores.hidden, chances, np.ones_like(scores.purchase))

    (record,) = Worker(Models(Certain(), FakeRiskModel())).run(click("u", 0, "a"))
    decoded(record)
    assert record.body["probabilities"] == {name: float(name == "purchase") for name in INTENTS}
    assert (record.body["intent"], record.body["purchase_probability"]) == ("purchase", 1)


@given(category=ids)
@settings(unhurried, max_examples=20)
def test_what_comes_next_is_said_with_the_category_as_the_click_names_it(category: str) -> None:
    (record,) = run(click("u", 0, "a", category=category))
    body = record.body
    assert json.loads(msgspec.json.encode(decoded(record))) == body
    assert [chance["category"] for chance in body["next_category"]] == [category]
    named = "purchase_24h_probability", "abandonment_probability", "exit_probability"
    assert all(0 <= body[name] <= 1 for name in named)
    assert body["next_action"] in NEXT_ACTIONS


def test_a_click_without_a_category_says_nothing_of_the_next_one() -> None:
    (record,) = run(click("u", 0, "a"))
    assert "next_category" not in record.body


def test_a_model_that_says_nothing_of_what_comes_next_leaves_that_out() -> None:
    class Silent(FakeIntentModel):
        def score(self, features: Floats, hidden: Floats) -> IntentScores:
            return super().score(features, hidden)._replace(outlook=None)

    (record,) = Worker(Models(Silent(), FakeRiskModel())).run(click("u", 0, "a", category="shoes"))
    decoded(record)
    assert not {"next_category", "next_action", "exit_probability"} & record.body.keys()


# Risk, decisions, alerts.


@pytest.mark.parametrize(
    ("value", "level", "action"),
    [(1.0, "normal", "allow"), (49.9, "normal", "allow"), (50.0, "elevated", "review"), (80.0, "highest", "block")],
)
def test_levels_and_actions(value: float, level: str, action: str) -> None:
    risk, decision, *_ = risky().run(order("u", 0, "a", value=value))
    assert (risk.body["risk_level"], risk.body["decision"]["action"]) == (level, action)
    assert decision.body["action"] == action
    assert risk.body["probability"] == pytest.approx(value / 100)
    low, high = {"normal": (0, 64), "elevated": (65, 74), "highest": (75, 100)}[level]
    assert low <= risk.body["risk_score"] <= high


def test_reasons_are_at_most_five_strongest_first_and_told_in_words() -> None:
    for record in on(RISK_EVENTS, story()):
        reasons = record.body["reasons"]
        assert 0 < len(reasons) <= MAX_REASONS
        strengths = [abs(reason["contribution"]) for reason in reasons]
        assert strengths == sorted(strengths, reverse=True)
        for reason in reasons:
            assert reason["code"] == reason["feature"].upper()
            assert reason["source"] == "model"
            assert reason["text"]


def test_a_decision_id_is_the_uuid5_of_source_event_and_policy() -> None:
    for risk, decision in zip(on(RISK_EVENTS, story()), on(DECISIONS, story()), strict=True):
        made = UUID(decision.body["decision_id"])
        assert made.version == 5
        assert made == uuid5(_NAMESPACE, f"{POLICY}:{risk.body['source_event_id']}")
        assert risk.body["decision"] == {"decision_id": str(made), "action": decision.body["action"]}
        assert decision.body["subject"] == {"type": "order", "id": risk.body["order_id"]}
        assert decision.body["policy"] == POLICY
        assert decision.body["reasons"] == [reason["code"] for reason in risk.body["reasons"]]


@pytest.mark.parametrize("together", [True, False])
def test_an_alert_is_raised_once_per_user_and_window(together: bool) -> None:
    window = HOUR - START % HOUR  # until the next begins
    times = [0, 1, MINUTE, window - 1, window, window + MINUTE]
    inputs = [order(user, at, f"{user} {at}", value=95.0) for at in times for user in "uv"]
    worker = risky()
    alerts = on(ALERTS, worker.run(*inputs) if together else worker.each(*inputs))
    assert sorted(record.body["source_event_id"] for record in alerts) == sorted(
        f"{user} {at}" for user in "uv" for at in (0, window)
    )
    assert len({record.body["alert_id"] for record in alerts}) == 4
    for record in alerts:
        assert (record.body["kind"], record.body["subject"]["id"]) == ("risk", record.body["user_id"])


def test_alerts_stay_raised_across_a_restart() -> None:
    worker = risky()
    assert len(on(ALERTS, worker.run(order("u", 0, "a", value=95.0)))) == 1
    assert on(ALERTS, worker.restarted().run(order("u", 1, "b", value=95.0))) == []


# Headers.


def traced(one: Input, trace: bytes) -> Input:
    return Input(one.topic, one.key, one.value, [("traceparent", trace)])


def test_cloudevents_headers_say_what_the_body_says() -> None:
    for record in story():
        assert record.headers.keys() == set(CLOUD_EVENT_HEADERS) - {"traceparent"}
        assert record.header("ce_id") == record.body["event_id"]
        assert record.header("ce_type") == BY_NAME[record.topic].ce_type
        assert record.header("ce_specversion") == "1.0"
        assert record.header("content-type") == "application/json"
        when = np.datetime64(START, "ms") + np.timedelta64(record.body["ts"] - START, "ms")
        assert record.header("ce_time") == f"{when}Z"


def test_traceparents_pass_through_to_what_their_record_yields() -> None:
    plain = [click("u", 0, "a"), traced(click("u", 1, "b"), b"00-b-01"), traced(order("u", 2, "o"), b"00-o-01")]
    found = run(*plain, order("u", 3, "p"))
    told = {record.body["event_id"]: record.headers.get("traceparent") for record in found}
    assert told["a:intent"] is None
    assert told["b:intent"] == b"00-b-01"
    assert told["o:risk"] == told["o:decision"] == b"00-o-01"
    assert told["p:risk"] is told["p:decision"] is None


def test_outputs_may_go_without_cloudevents_headers_but_dead_letters_keep_theirs() -> None:
    worker = Worker(with_headers=False)
    found = worker.run(traced(click("u", 0, "a"), b"00-a-01"), order("u", 1, "o"), raw(b"bad"))
    for record in found:
        assert set(record.headers) == (set(DEAD_LETTER_HEADERS) if record.topic == DEAD_LETTER else set())
