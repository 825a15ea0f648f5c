"""Alerts about devices, cards and other entities: those of many users at one of them are one."""

from typing import Any

import pytest

from app.state.flow import MOST_GROUPS
from schemas.topics import ALERTS
from tests.harness import HOUR, START, Feed, Record, on, order
from tests.rules.rulesets import book, rule
from tests.scoring.judged import worker

BUSY = rule("busy", "device_orders_1h >= 3", action="block", text="A busy device.")


def alerts(records: list[Record]) -> list[dict[str, Any]]:
    return [record.body for record in on(ALERTS, records)]


def test_twenty_accounts_on_one_device_are_one_alert_about_the_device(feed: Feed) -> None:
    found = alerts(feed(worker(BUSY), *(order(f"u{at}", at, f"{at}", device_id="d") for at in range(20))))
    assert [alert["count"] for alert in found] == [3, 10]
    first, last = found
    start = START - START % HOUR
    assert {alert["alert_id"] for alert in found} == {f"velocity:device:d:BUSY:{start}"}
    assert (last["kind"], last["subject"], last["reasons"]) == ("velocity", {"type": "device", "id": "d"}, ["BUSY"])
    assert last["title"] == "A busy device: orders by device in 1 h = 10 >= 3"
    assert (last["first_ts"], last["last_ts"]) == (START + 2, START + 9)
    assert first["event_id"] != last["event_id"]


def test_all_partitions_tell_of_one_alert_and_of_all_orders() -> None:
    found = alerts(worker(BUSY, partitions=5).each(*(order(f"u{at}", at, f"{at}", device_id="d") for at in range(40))))
    assert len({alert["alert_id"] for alert in found}) == 1
    assert 2 < len(found) <= 10  # of each of five partitions its first order, and its first beyond the ninth
    assert {alert["count"] for alert in found if alert["count"] >= 10}
    for alert in found:
        assert alert["count"] == int(alert["source_event_id"]) + 1


def test_another_device_and_another_reason_are_other_alerts() -> None:
    rules = (
        rule("a", "device_orders_1h >= 1 and value < 5", action="block"),
        rule("b", "device_users_24h >= 1 and value >= 5", action="block"),
    )
    told = [("x", 1.0), ("y", 1.0), ("x", 9.0), ("x", 1.0)]
    orders = (order(f"u{at}", at, f"{at}", device_id=device, value=value) for at, (device, value) in enumerate(told))
    found = alerts(worker(*rules).run(*orders))
    assert [(alert["subject"]["id"], alert["reasons"][0], alert["count"]) for alert in found] == [
        ("x", "A", 1),
        ("y", "A", 1),
        ("x", "B", 2),
    ]


@pytest.mark.parametrize(
    ("entity", "named", "id_"),
    [
        ("device", {"device_id": "d7"}, "d7"),
        ("card", {"card_hash": "c7"}, "c7"),
        ("ip", {"ip": "203.0.113.9"}, "203.0.113.9"),
        ("network", {"ip": "203.0.113.9"}, "203.0.113.0/24"),
        ("network", {"ip": "2001:db8:7:8::9"}, "2001:db8:7::/48"),
        ("email", {"email_hash": "e7"}, "e7"),
        ("merchant", {"merchant_id": "m7"}, "m7"),
        ("address", {"shipping_address_hash": "a7"}, "a7"),
    ],
)
def test_every_entity_is_named_as_its_orders_name_it(entity: str, named: dict[str, str], id_: str) -> None:
    busy = rule("busy", f"{entity}_orders_1h >= 1", action="block")
    (alert,) = alerts(worker(busy).run(order("u", 0, "a", **named)))
    assert (alert["kind"], alert["subject"]) == ("velocity", {"type": entity, "id": id_})


def test_an_alert_about_an_entity_names_its_rules_technique_alone() -> None:
    rules = (
        BUSY | {"when": "device_orders_1h >= 1", "score": 9, "technique": "F1028"},
        rule("b", "true", 1, technique="F1012"),
    )
    (alert,) = alerts(worker(*rules).run(order("u", 0, "a", device_id="d")))
    assert (alert["reasons"], alert["techniques"]) == (["BUSY"], ["F1028"])


def test_the_count_is_of_the_time_that_the_rule_looks_back_over() -> None:
    ring = rule("ring", "device_users_24h >= 3", action="block")
    orders = [order(f"u{at % 3}", at * HOUR, f"{at}", device_id="d") for at in range(5)]
    assert [alert["count"] for alert in alerts(worker(ring).run(*orders))] == [3, 4, 5]  # each in another hour


@pytest.mark.parametrize("when", ["orders_1h >= 1", "user_orders_1h >= 1", "is_missing(card_orders_1h)"])
def test_where_no_entity_but_the_user_is_named_alerts_are_about_the_user(when: str) -> None:
    found = alerts(worker(rule("a", when, action="block")).run(order("u", 0, "a", device_id="d")))
    assert [(alert["kind"], alert["subject"]) for alert in found] == [("risk", {"type": "user", "id": "u"})]


def test_the_strongest_reason_says_what_an_alert_is_about() -> None:
    found = alerts(worker(BUSY | {"when": "device_orders_1h >= 1"}, rule("dear", "value > 50", 20)).run(
        order("u", 0, "a", device_id="d"), order("u", 1, "b", device_id="d", value=60.0)
    ))  # fmt: skip
    assert [(alert["subject"]["type"], alert["reasons"][0]) for alert in found] == [
        ("device", "BUSY"),
        ("user", "DEAR"),
    ]


def test_a_group_that_was_told_is_not_told_again_after_a_restart() -> None:
    before = worker(BUSY)
    before.run(*(order(f"u{at}", at, f"{at}", device_id="d") for at in range(5)))
    found = before.restarted().run(*(order(f"u{at}", at, f"{at}", device_id="d") for at in range(5, 12)))
    assert [alert["count"] for alert in alerts(found)] == [10]


def test_alerts_about_entities_beyond_those_that_are_remembered_are_about_users(feed: Feed) -> None:
    each = rule("each", "device_orders_1h >= 1", action="block", max_share=1)
    orders = (order(f"u{at}", at, f"{at}", device_id=f"d{at}") for at in range(MOST_GROUPS + 3))
    subjects = [alert["subject"]["type"] for alert in alerts(feed(worker(each), *orders))]
    assert subjects == ["device"] * MOST_GROUPS + ["user"] * 3


def test_an_order_that_is_dated_far_ahead_mutes_nothing_after_it() -> None:
    ahead = order("u", 1_000 * HOUR, "ahead", device_id="d")
    each = worker(rule("each", "device_orders_1h >= 1", action="block"))
    orders = [order(f"u{at}", at, f"{at}", device_id="d") for at in range(3)]
    found = alerts(each.each(orders[0], orders[1], ahead, orders[2]))
    assert [(alert["source_event_id"], alert["subject"]["type"]) for alert in found] == [
        ("0", "device"),
        ("ahead", "user"),
    ]


def test_only_live_rules_have_the_orders_of_their_entities_counted() -> None:
    rules = rule("a", "device_users_7d > 1"), rule("b", "card_users_7d > 1", mode="shadow")
    names = {velocity.name for velocity in book(*rules).velocities}
    assert names == {"device_users_7d", "device_orders_7d", "card_users_7d"}
