"""A rule that meets too many is put in shadow, one may be snoozed, and alerts are grouped and bounded."""

import pytest

from schemas.topics import ALERTS
from tests.harness import HOUR, MINUTE, START, Feed, on, order
from tests.rules.rulesets import book, rule
from tests.scoring.judged import risks, worker

# The guard.


def test_a_rule_that_fires_too_often_is_put_in_shadow_and_raises_an_alert(feed: Feed) -> None:
    guard = {"max_share": 0.3, "orders": 20}
    flood = worker(rule("flood", "true", 10), rule("wide", "true", 1, max_share=1), guard=guard)
    found = feed(flood, *(order(f"u{at}", at, f"{at}", value=1.0) for at in range(30)))
    modes = [[hit["mode"] for hit in risk["rules"]] for risk in risks(found)]
    assert modes == [["live", "live"]] * 6 + [["shadow", "live"]] * 24
    (alert,) = on(ALERTS, found)
    assert (alert.body["kind"], alert.body["subject"]) == ("pipeline", {"type": "rule", "id": "flood"})
    assert alert.body["source_event_id"] == "6"
    assert (alert.body["count"], alert.body["reasons"]) == (7, ["FLOOD"])


def test_a_rule_below_its_share_stays_live_however_long(feed: Feed) -> None:
    guard = {"max_share": 0.3, "orders": 10}
    found = feed(
        worker(rule("some", "value > 5", 10), guard=guard),
        *(order(f"u{at}", at, f"{at}", value=6.0 if at % 4 == 0 else 1.0) for at in range(60)),
    )
    assert {hit["mode"] for risk in risks(found) for hit in risk["rules"]} == {"live"}
    assert on(ALERTS, found) == []


def test_a_rule_stays_in_shadow_across_a_restart_until_it_has_another_version() -> None:
    guard = {"max_share": 0.3, "orders": 20}
    before = worker(rule("flood", "true", 10), guard=guard)
    before.run(*(order(f"u{at}", at, f"{at}") for at in range(10)))
    after = before.restarted()
    (risk,) = risks(after.run(order("u", 100, "again")))
    assert risk["rules"][0]["mode"] == "shadow"
    after.pipeline.use_rules(book(rule("flood", "true", 10, version="2"), guard=guard))
    (risk,) = risks(after.run(order("u", 101, "new")))
    assert risk["rules"][0]["mode"] == "live"


def test_a_snoozed_rule_does_not_count_for_its_subject_until_then() -> None:
    until = "2023-11-14T23:13:20Z"  # an hour after START
    snooze = {"rule": "a", "field": "user_id", "value": "u", "until": until}
    found = worker(rule("a", "true", 10), snoozes=[snooze]).run(
        order("u", 0, "snoozed"), order("v", 1, "other"), order("u", HOUR, "over")
    )
    assert [len(risk["rules"]) for risk in risks(found)] == [0, 1, 1]


# Alerts.


def test_alerts_are_grouped_by_reason_and_told_again_at_ten_and_a_hundred(feed: Feed) -> None:
    found = feed(
        worker(rule("a", "value < 5", action="block"), rule("b", "value >= 5", action="block")),
        *(order("u", at, f"{at}", value=1.0 if at % 2 else 6.0) for at in range(220)),
    )
    alerts = [record.body for record in on(ALERTS, found)]
    assert [(alert["reasons"][0], alert["count"]) for alert in alerts] == [
        ("B", 1), ("A", 1), ("B", 10), ("A", 10), ("B", 100), ("A", 100),
    ]  # fmt: skip
    assert len({alert["alert_id"] for alert in alerts}) == 2
    assert len({alert["event_id"] for alert in alerts}) == 6
    assert {alert["first_ts"] for alert in alerts} == {START, START + 1}
    assert alerts[-1]["last_ts"] == START + 199


def test_a_user_raises_at_most_four_kinds_of_alert_in_a_window() -> None:
    rules = [rule(f"r{number}", f"value == {number}", action="block") for number in range(1, 8)]
    found = worker(*rules).run(*(order("u", at, f"{at}", value=float(at)) for at in range(1, 8)))
    assert len(on(ALERTS, found)) == 4


def test_a_partition_raises_no_more_alerts_in_a_window_than_allowed(feed: Feed) -> None:
    alerts = {"most": 3, "window": "10min"}
    flood = worker(rule("a", "true", action="block", max_share=1), alerts=alerts)
    times = [*range(10), *range(10 * MINUTE, 10 * MINUTE + 2)]
    found = feed(flood, *(order(f"u{at}", at, f"{at}") for at in times))
    raised = [record.body["source_event_id"] for record in on(ALERTS, found)]
    assert raised == ["0", "1", "2", str(10 * MINUTE), str(10 * MINUTE + 1)]


@pytest.mark.parametrize(
    ("action", "severity"), [("warn", None), ("verify", "warning"), ("review", "warning"), ("block", "critical")]
)
def test_alerts_are_raised_from_the_action_on_that_the_ruleset_says(action: str, severity: str | None) -> None:
    found = worker(rule("a", "true", action=action), alerts={"from_action": "verify"}).run(order("u", 0, "a"))
    assert [record.body["severity"] for record in on(ALERTS, found)] == ([severity] if severity else [])
