"""Rules on sessions: each session meets a rule once, and a blocker and the risk team are told."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.rules.compiling import compile_ruleset
from app.rules.problems import RulesetError
from app.rules.reading import read_ruleset
from app.step import Models
from schemas.outputs import Alert, Decision
from schemas.topics import ALERTS, DECISIONS
from tests.fakes import FakeIntentModel, RiskByValue
from tests.harness import HOUR, MINUTE, START, Feed, Input, Record, Worker, click, on
from tests.rules.rulesets import book, rule, ruleset

STARTER = Path(__file__).resolve().parents[2] / "deploy" / "ruleset.yaml"


def session_rule(id_: str, when: str, **more: object) -> dict[str, Any]:
    return rule(id_, when) | {"on": "session"} | more


def worker(*rules: dict[str, Any], partitions: int = 1, **more: object) -> Worker:
    return Worker(Models(FakeIntentModel(), RiskByValue(), rules=book(*rules, **more)), partitions)


def clicks(user: str, count: int, every: int = 1_000, after: int = 0, **more: object) -> list[Input]:
    """So many clicks on products of their own, ``every`` so many ms."""
    return [
        click(
            user, after + every * number, f"{user}-{after}-{number}", "product_viewed", product_id=f"p{number}", **more
        )
        for number in range(count)
    ]


def sources(topic: str, records: list[Record]) -> list[str]:
    return [record.body["source_event_id"] for record in on(topic, records)]


def test_a_session_meets_a_rule_at_the_first_click_at_which_it_holds_and_once(feed: Feed) -> None:
    found = feed(
        worker(session_rule("busy", "session_events >= 3", action="verify")),
        *clicks("u", 6),
        *clicks("v", 2),
        *clicks("u", 4, after=HOUR),
    )
    assert sources(DECISIONS, found) == sources(ALERTS, found) == ["u-0-2", f"u-{HOUR}-2"]


def test_the_decision_is_about_the_session_and_the_alert_says_why(feed: Feed) -> None:
    policies = [{"id": "p", "thresholds": {}, "expires_after": "1h"}]
    busy = session_rule("busy", "distinct_items >= 2 and is_product_viewed", action="block", text="Too busy.")
    busy |= {"technique": "F1012"}
    found = feed(worker(busy, policies=policies), *clicks("u", 3, session_id="s1"))
    (told,), (raised,) = on(DECISIONS, found), on(ALERTS, found)
    decision = msgspec.json.decode(told.value or b"", type=Decision)
    alert = msgspec.json.decode(raised.value or b"", type=Alert)
    assert (told.key, decision.subject.type, decision.subject.id) == (b"s1", "session", "s1")
    assert (decision.action, decision.policy, decision.reasons) == ("block", "rule/busy", ["BUSY"])
    assert decision.expires_at == START + 1_000 + HOUR
    assert decision.techniques == alert.techniques == ["F1012"]
    assert (raised.key, alert.severity, alert.subject.type, alert.user_id) == (b"s1", "critical", "session", "u")
    assert alert.title == (
        "Too busy: distinct products so far in this session = 2 >= 2 and this click is product_viewed: yes"
    )
    assert told.header("ce_id") == decision.event_id != alert.event_id


def test_without_an_action_there_is_an_alert_alone_and_in_shadow_it_is_for_information() -> None:
    rules = [session_rule("a", "true"), session_rule("b", "true", mode="shadow", action="block")]
    found = worker(*rules, session_rule("c", "true", mode="off")).run(*clicks("u", 2))
    assert on(DECISIONS, found) == []
    severities = {record.body["reasons"][0]: record.body["severity"] for record in on(ALERTS, found)}
    assert severities == {"A": "warning", "B": "info"}


def test_several_rules_met_by_one_click_yield_events_of_their_own(feed: Feed) -> None:
    long = "x" * 64
    rules = [session_rule("a", "true", action="warn"), session_rule(long, "true", action="block", reason="B")]
    found = on(DECISIONS, feed(worker(*rules), *clicks("u", 2)))
    decisions = [msgspec.json.decode(record.value or b"", type=Decision) for record in found]
    assert {decision.policy: decision.action for decision in decisions} == {"rule/a": "warn", f"rule/{long}": "block"}
    assert len({decision.event_id for decision in decisions}) == 2
    assert len({decision.decision_id for decision in decisions}) == 2


def test_what_a_session_has_met_outlives_a_restart() -> None:
    before = worker(session_rule("busy", "session_events >= 2", action="verify"))
    assert len(on(DECISIONS, before.run(*clicks("u", 3)))) == 1
    after = before.restarted()
    assert on(DECISIONS, after.run(*clicks("u", 3, after=5_000))) == []
    assert len(on(DECISIONS, after.run(*clicks("u", 3, after=HOUR)))) == 1


def test_a_rule_that_too_many_sessions_meet_is_put_in_shadow_and_raises_an_alert(feed: Feed) -> None:
    guard = {"max_share": 0.2, "orders": 20}
    flood = worker(session_rule("flood", "true", action="verify"), guard=guard)
    visits = [one for number in range(19) for one in clicks(f"u{number}", 2, after=10_000 * number)]
    found = feed(flood, *visits)
    assert len(on(DECISIONS, found)) == 4
    (alert,) = [record.body for record in on(ALERTS, found) if record.body["kind"] == "pipeline"]
    assert (alert["subject"], alert["count"]) == ({"type": "rule", "id": "flood"}, 5)
    assert "of the sessions" in alert["title"]
    assert on(DECISIONS, flood.restarted().run(*clicks("w", 2, after=HOUR))) == []


def test_a_partition_raises_no_more_alerts_about_sessions_than_allowed_and_decides_on_all(feed: Feed) -> None:
    eager = session_rule("a", "true", action="verify", max_share=1)
    visits = [one for number in range(5) for one in clicks(f"u{number}", 1, after=number)]
    found = feed(worker(eager, alerts={"most": 3, "window": "10min"}), *visits, *clicks("v", 1, after=10 * MINUTE))
    assert sources(ALERTS, found) == ["u0-0-0", "u1-1-0", "u2-2-0", f"v-{10 * MINUTE}-0"]
    assert len(on(DECISIONS, found)) == 6


def test_a_rule_is_silent_once_expired_and_for_whom_it_is_snoozed() -> None:
    rules = [session_rule("old", "true", expires="2023-01-01"), session_rule("a", "true", action="warn", max_share=1)]
    snooze = {"rule": "a", "field": "user_id", "value": "u", "until": "2030-01-01"}
    found = worker(*rules, snoozes=[snooze]).run(*clicks("u", 2), *clicks("v", 2))
    assert sources(ALERTS, found) == ["v-0-0"]


def test_a_list_can_be_looked_up_at_a_click() -> None:
    named = {"name": "our_robots", "entries": ["10.0.0.1"]}
    found = worker(session_rule("a", "ip not in @our_robots"), lists=[named]).run(
        *clicks("u", 1, ip="10.0.0.1"), *clicks("v", 1, ip="10.0.0.2"), *clicks("w", 1)
    )
    assert sources(ALERTS, found) == ["v-0-0"]  # of w nothing is known


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (session_rule("a", "value > 5"), "there is no field 'value'"),
        (rule("a", "distinct_items > 5"), "there is no field 'distinct_items'"),
        (session_rule("a", "distinct_items > 5", score=10), "a session has no score"),
        (session_rule("a", "type > 5"), "type is text"),
    ],
)
def test_what_a_rule_on_sessions_cannot_say_is_refused(made: dict[str, Any], said: str) -> None:
    with pytest.raises(RulesetError) as caught:
        compile_ruleset(ruleset(made))
    (problem,) = caught.value.problems
    assert said in problem.message


def test_numbers_that_a_click_does_not_have_make_nothing_true() -> None:
    rules = [session_rule("cheap", "price < 5"), session_rule("bought", "since_purchase_seconds < 1h")]
    found = worker(*rules).run(*clicks("u", 2), *clicks("v", 1, price=4.0), click("w", 0, "w", "order_completed"))
    assert {record.body["source_event_id"]: record.body["reasons"] for record in on(ALERTS, found)} == {
        "v-0-0": ["CHEAP"],
        "w": ["BOUGHT"],
    }


def test_without_such_rules_nothing_is_remembered_of_sessions() -> None:
    plain = worker(rule("a", "true", 10))
    plain.run(*clicks("u", 3))
    assert not plain.pipeline.state.session_flows
    assert not plain.pipeline.state.table.standings


def test_the_starter_rule_tells_a_scraper_from_a_keen_visitor() -> None:
    models = Models(FakeIntentModel(), RiskByValue(), rules=compile_ruleset(read_ruleset(STARTER)))
    found = Worker(models).run(*clicks("bot", 80, every=300), *clicks("keen", 80, every=2_000))
    assert [record.body["user_id"] for record in on(DECISIONS, found)] == ["bot"]
    assert [record.body["reasons"] for record in on(ALERTS, found)] == [["SCRAPING"]]
