"""From score to decision: points, actions, lists, freezes, and reasons."""

from uuid import UUID

import pytest

from app.step import Models
from schemas.topics import ALERTS, DECISIONS
from tests.fakes import FakeIntentModel
from tests.harness import DAY, HOUR, START, Feed, Worker, click, heartbeat, label, on, order
from tests.rules.rulesets import book, rule
from tests.scoring.judged import actions, risks, worker
from tests.scoring.test_model_failure import BROKEN, FailingRiskModel

ALLOW = {"name": "trusted", "kind": "allow", "field": "card_hash", "entries": ["good"]}
BLOCK = {
    "name": "stolen",
    "kind": "block",
    "field": "card_hash",
    "entries": ["bad", {"value": "old", "until": "2020-01-01"}],
}
WATCH = {"name": "watched", "kind": "watch", "field": "device_id", "entries": ["seen"], "text": "We look at it."}
FREEZING = rule("freezing", "value == 7", action="freeze")


def model_score(value: float) -> int:
    (risk,) = risks(worker().run(order("u", 0, "a", value=value)))
    score: int = risk["risk_score"]
    return score


# Score.


@pytest.mark.parametrize(("points", "more"), [(0, 0), (30, 30), (12.5, 12), (-5, -5), (100, 80), (-100, -20)])
def test_the_score_is_the_models_plus_the_points_of_live_rules_within_0_and_100(points: float, more: int) -> None:
    base = model_score(16.0)
    (risk,) = risks(worker(rule("a", "true", points)).run(order("u", 0, "a", value=16.0)))
    assert base == 20
    assert risk["risk_score"] == base + more


def test_hits_are_told_with_their_mode_and_only_live_ones_count() -> None:
    rules = (
        rule("a", "value > 1", 10),
        rule("b", "value > 1", 40, mode="shadow", action="block"),
        rule("c", "value < 1", 9),
    )
    (risk,) = risks(worker(*rules, rule("d", "true", 9, mode="off")).run(order("u", 0, "a", value=8.0)))
    assert risk["rules"] == [
        {"id": "a", "version": "1", "mode": "live", "score": 10.0},
        {"id": "b", "version": "1", "mode": "shadow", "score": 40.0},
    ]
    assert risk["risk_score"] == model_score(8.0) + 10
    assert risk["decision"]["action"] == "allow"
    assert risk["ruleset_version"] == "test/1"


@pytest.mark.parametrize(
    ("points", "action"), [(0, "allow"), (50, "warn"), (60, "verify"), (65, "review"), (75, "block"), (99, "freeze")]
)
def test_thresholds_make_actions_of_scores(points: float, action: str) -> None:
    assert actions(worker(rule("a", "true", points)).run(order("u", 0, "a", value=0.01))) == [action]


def test_the_first_policy_that_fits_counts_and_names_the_decision() -> None:
    policies = [
        {"id": "dear", "when": "value >= 50", "thresholds": {"block": 1}, "expires_after": "2h"},
        {"id": "rest", "thresholds": {}},
        {"id": "never", "thresholds": {"block": 0}},
    ]
    found = worker(policies=policies).run(order("u", 0, "a", value=60.0), order("u", 1, "b", value=20.0))
    dear, rest = (record.body for record in on(DECISIONS, found))
    assert (dear["policy"], dear["action"], dear["expires_at"]) == ("dear", "block", START + 2 * HOUR)
    assert (rest["policy"], rest["action"]) == ("rest", "allow")
    assert "expires_at" not in rest


def test_a_rules_action_and_its_expiry_hold_by_the_time_of_the_order() -> None:
    until = "2023-11-14T23:13:20Z"  # an hour after START
    found = worker(rule("a", "true", action="verify", expires=until)).run(
        order("u", HOUR - 1, "before"), order("u", HOUR, "after")
    )
    assert actions(found) == ["verify", "allow"]


def test_what_the_model_did_not_score_is_judged_by_rules_and_policy() -> None:
    known, broken = order("u", 0, "a", value=BROKEN), order("v", 0, "b", value=BROKEN, currency="USD")
    rules = book(rule("a", 'currency == "USD"', 99, action="block"), rule("b", "model_score > 0", 5))
    found = Worker(Models(FakeIntentModel(), FailingRiskModel(), rules=rules)).run(known, broken)
    assert actions(found) == ["review", "block"]
    for risk in risks(found):
        assert risk["risk_level"] == "not_assessed"
        assert "risk_score" not in risk
        assert risk["reasons"][-1]["code"] == "MODEL_FAILURE"
    assert [hit["id"] for hit in risks(found)[1]["rules"]] == ["a"]


# Lists.


def test_an_allow_list_wins_over_everything_but_a_freeze() -> None:
    found = worker(rule("a", "true", 99, action="freeze"), lists=[ALLOW, BLOCK | {"field": "device_id"}]).run(
        order("u", 0, "a", card_hash="good", device_id="bad"), order("u", 1, "b"), order("u", 2, "c", card_hash="good")
    )
    assert actions(found) == ["allow", "freeze", "freeze"]
    first = risks(found)[0]
    assert {reason["code"]: reason["source"] for reason in first["reasons"]}["LIST_TRUSTED"] == "list"


def test_a_block_list_blocks_and_its_entries_expire() -> None:
    found = worker(lists=[BLOCK]).run(
        *(order("u", at, f"{at}", card_hash=card) for at, card in enumerate(["bad", "old", "new"])),
        order("u", 9, "none"),
    )
    assert actions(found) == ["block", "allow", "allow", "allow"]
    reason = risks(found)[0]["reasons"][0]
    assert (reason["code"], reason["feature"], reason["value"]) == ("LIST_STOLEN", "card_hash", "bad")
    assert risks(found)[0]["risk_score"] == 100


def test_a_watch_list_changes_nothing_and_raises_an_alert() -> None:
    found = worker(lists=[WATCH]).run(order("u", 0, "a", device_id="seen"), order("v", 0, "b", device_id="other"))
    assert actions(found) == ["allow", "allow"]
    (alert,) = on(ALERTS, found)
    assert (alert.body["severity"], alert.body["source_event_id"]) == ("info", "a")
    assert "LIST_WATCHED" in alert.body["reasons"]


# Freezes.


def test_a_freeze_holds_for_the_account_until_a_label_lifts_it(feed: Feed) -> None:
    found = feed(
        worker(FREEZING),
        order("u", 0, "freezer", value=7.0),
        order("v", 1, "other", value=1.0),
        order("u", 2, "held", value=1.0),
        label("u", 3, "fraud", label="fraud"),
        label("u", 4, "elsewhere", label="legitimate", order_id="order-held"),
        order("u", 5, "still", value=1.0),
        label("u", 6, "lift", label="legitimate", order_id="order-freezer"),
        order("u", 7, "free", value=1.0),
        order("u", 8, "again", value=7.0),
        label("u", 9, "second", label="legitimate"),
        order("u", 10, "end", value=1.0),
    )
    by_source = {risk["source_event_id"]: risk["decision"]["action"] for risk in risks(found)}
    frozen = {"freezer", "held", "still", "again"}
    assert by_source == {name: "freeze" if name in frozen else "allow" for name in by_source}
    accounts = [record for record in on(DECISIONS, found) if record.body["subject"]["type"] == "user"]
    assert [(record.body["source_event_id"], record.body["action"]) for record in accounts] == [
        ("freezer", "freeze"),
        ("lift", "allow"),
        ("again", "freeze"),
        ("second", "allow"),
    ]
    assert {record.key for record in accounts} == {b"u"}
    first, lift, second, end = (record.body for record in accounts)
    assert (lift["supersedes"], end["supersedes"]) == (first["decision_id"], second["decision_id"])
    assert len({record.body["event_id"] for record in found}) == len(found)


def test_a_frozen_account_gives_that_as_the_strongest_reason() -> None:
    found = worker(FREEZING).run(order("u", 0, "a", value=7.0), order("u", 1, "b", value=1.0))
    held = risks(found)[1]
    assert held["reasons"][0]["code"] == "ACCOUNT_FROZEN"
    assert held["risk_score"] == 100


@pytest.mark.parametrize("days", [1, 40, 400])
def test_a_freeze_outlives_restarts_and_histories(days: int, feed: Feed) -> None:
    before = worker(FREEZING)
    feed(before, click("u", 0, "click"), order("u", 1, "a", value=7.0))
    after = before.restarted()
    found = feed(after, *heartbeat(days * DAY), order("u", days * DAY, "b", value=1.0))
    assert actions(found) == ["freeze"]
    found = feed(after, label("u", days * DAY + 1, "lift", label="legitimate"), *heartbeat((days + 40) * DAY)[days:])
    assert on(DECISIONS, found)[0].body["supersedes"]
    assert after.pipeline.state.table.slot("u") is None  # the history is over, and nothing holds the row any more


# Decisions.


def test_a_later_decision_about_the_same_order_supersedes_the_earlier(feed: Feed) -> None:
    found = feed(
        worker(),
        order("u", 0, "a", order_id="x"),
        order("u", 1, "b", order_id="x"),
        order("u", 2, "c", order_id="y"),
        order("u", 3, "d", order_id="x"),
    )
    first, second, third, fourth = (record.body for record in on(DECISIONS, found))
    assert second["supersedes"] == first["decision_id"]
    assert all("supersedes" not in body for body in (first, third, fourth))
    assert len({UUID(body["decision_id"]) for body in (first, second, third, fourth)}) == 4


# Reasons.


def test_a_rules_reason_is_its_expression_with_the_values_put_in() -> None:
    testing = rule("testing", "orders_1h > 2 and value < 5", 30, text="Card testing.", technique="F1012")
    found = worker(testing).run(*(order("u", at, f"{at}", value=1.0) for at in range(3)))
    reason = risks(found)[2]["reasons"][0]
    assert reason == {
        "code": "TESTING",
        "source": "rule",
        "contribution": 30.0,
        "text": "Card testing: the user's orders in 1h, this one included = 3 > 2 and the order's value = 1 < 5",
        "technique": "F1012",
    }


def test_decisions_and_alerts_name_the_techniques_of_their_reasons_each_once() -> None:
    rules = (
        rule("testing", "value < 5", 40, technique="F1012"),
        rule("cashing", "value < 5", 35, technique="F1028"),
        rule("again", "value < 5", 1, technique="F1012", action="block"),
        rule("shadowed", "true", 50, technique="F1006", mode="shadow"),
    )
    found = worker(*rules).run(order("u", 0, "a", value=1.0), order("v", 0, "b", value=9.0))
    named, none = (record.body for record in on(DECISIONS, found))
    (alert,) = (record.body for record in on(ALERTS, found))
    assert named["techniques"] == alert["techniques"] == ["F1012", "F1028"]
    assert "techniques" not in none


def test_the_reason_of_a_rule_about_one_field_carries_its_value() -> None:
    rules = (rule("odd", "value % 2 == 1", 1), rule("at", 'currency == "EUR"', 2), rule("new", "not has_ordered", 3))
    (risk,) = risks(worker(*rules).run(order("u", 0, "a", value=9.0)))
    told = {
        reason["code"]: (reason["feature"], reason["value"]) for reason in risk["reasons"] if reason["source"] == "rule"
    }
    assert told == {"ODD": ("value", 9.0), "AT": ("currency", "EUR"), "NEW": ("has_ordered", 0.0)}


def test_reasons_are_at_most_five_strongest_first_of_rules_and_model_together() -> None:
    rules = [rule(f"r{abs(points)}", "true", points) for points in (1, 40, -30, 2, 3, 4)]
    (risk,) = risks(worker(*rules).run(order("u", 0, "a", value=50.0)))
    strengths = [abs(reason["contribution"]) for reason in risk["reasons"]]
    assert len(strengths) == 5
    assert strengths == sorted(strengths, reverse=True)
    assert {reason["source"] for reason in risk["reasons"]} == {"rule", "model"}
    assert risk["reasons"][0]["code"] == "R40"


def test_a_rule_and_a_list_without_points_are_among_the_reasons_however_much_the_model_has_to_say() -> None:
    acting = [rule("acting", "true", action="block"), *(rule(f"r{points}", "true", points) for points in (1, 2, 3, 4))]
    (risk,) = risks(worker(*acting, lists=[WATCH]).run(order("u", 0, "a", value=50.0, device_id="seen")))
    codes = [reason["code"] for reason in risk["reasons"]]
    assert risk["decision"]["action"] == "block"
    assert {"ACTING", "LIST_WATCHED"} <= set(codes)
    assert len(codes) == 5
    strengths = [abs(reason["contribution"]) for reason in risk["reasons"]]
    assert strengths == sorted(strengths, reverse=True)


def test_the_models_reasons_are_given_from_the_watch_threshold_on() -> None:
    policies = [{"id": "p", "thresholds": {"review": 65}, "watch": 40}]
    found = worker(policies=policies).run(order("u", 0, "a", value=20.0), order("v", 0, "b", value=40.0))
    low, high = risks(found)
    assert low["risk_score"] < 40 <= high["risk_score"]
    assert low["reasons"] == []
    assert high["reasons"]
