"""Sessions: when they begin and end by event time, and what a closed one tells."""

import pytest

from schemas.topics import INTENT_EVENTS, SESSION_EVENTS
from tests.harness import GAP, GRACE, HOUR, MINUTE, SECOND, START, Feed, Worker, click, label, on, order, run, sessions

# The gap.


def test_clicks_exactly_the_gap_apart_are_one_session(feed: Feed) -> None:
    found = feed(Worker(), click("u", 0, "a"), click("u", GAP, "b"))
    assert [record.body["session"]["events"] for record in found] == [1, 2]
    assert len({record.body["session_id"] for record in found}) == 1


def test_a_click_one_millisecond_after_the_gap_begins_another_session(feed: Feed) -> None:
    found = feed(Worker(), click("u", 0, "a"), click("u", GAP + 1, "b"))
    assert [record.body["session"]["events"] for record in on(INTENT_EVENTS, found)] == [1, 1]
    (closed,) = sessions(found)
    assert (closed["started_at"], closed["ended_at"], closed["source_event_id"]) == (START, START, "a")


def test_the_gap_is_counted_from_the_latest_click_not_from_the_one_that_came_last(feed: Feed) -> None:
    found = feed(Worker(), click("u", 50_000, "a"), click("u", 0, "late"), click("u", 50_000 + GAP, "b"))
    assert [record.body["session"]["events"] for record in on(INTENT_EVENTS, found)] == [1, 2, 3]


def test_orders_and_labels_do_not_hold_a_session_open() -> None:
    worker = Worker()
    found = worker.each(click("u", 0, "a"), order("u", 20 * MINUTE, "o"), label("u", 25 * MINUTE, "l"))
    assert sessions(found) == []
    assert len(sessions(worker.run(click("u", 31 * MINUTE, "b")))) == 1


def test_a_given_session_id_names_the_session_and_a_made_one_is_deterministic() -> None:
    given = run(click("u", 0, "a", session_id="mine"), click("u", GAP + 1, "b"))
    assert sessions(given)[0]["session_id"] == "mine"
    made = [run(click("u", 0, "a"), click("u", 1, "b")) for _ in range(2)]
    ids = [record.body["session_id"] for found in made for record in found]
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert ids[0] != run(click("v", 0, "a"))[0].body["session_id"]


def test_another_given_session_id_within_the_gap_is_told_and_ends_no_session(feed: Feed) -> None:
    clicks = [click("u", 0, "a", session_id="one"), click("u", 1, "b", session_id="two"), click("u", 2, "c")]
    found = feed(Worker(), *clicks, click("u", 2 * HOUR, "d"))
    told = [(record.body["session_id"], record.body["session"]["events"]) for record in on(INTENT_EVENTS, found)]
    assert told[:3] == [("one", 1), ("two", 2), ("one", 3)]
    (closed,) = sessions(found)
    assert (closed["session_id"], closed["events"]) == ("one", 3)


# What a closed session tells.


def test_a_closed_session_tells_counts_cart_outcome_and_path(feed: Feed) -> None:
    worker = Worker()
    found = feed(
        worker,
        click("u", 0, "a", "product_viewed", product_id="p", price=9.99),
        click("u", 1_000, "b", "product_added", product_id="p", price=9.99, quantity=2),
        click("u", 2_000, "c", "product_added", product_id="q", price=5.5),
        click("u", 3_000, "d", "product_removed", product_id="p", price=9.99),
        click("u", 3_000 + GAP + 1, "e"),
    )
    (closed,) = sessions(found)
    assert closed["counts"] == {"product_viewed": 1, "product_added": 2, "product_removed": 1}
    assert closed["events"] == 4
    assert closed["cart_value"] == pytest.approx(9.99 + 5.5)
    assert closed["outcome"] == "abandoned_cart"
    assert (closed["started_at"], closed["ended_at"], closed["ts"]) == (START, START + 3_000, START + 3_000)
    assert (closed["event_id"], closed["source_event_id"]) == ("d:closed", "d")
    intents = [record.body["intent"] for record in on(INTENT_EVENTS, found)][:4]
    changes = [intent for before, intent in zip([None, *intents], intents, strict=False) if intent != before]
    assert closed["intent_path"] == changes


def test_the_path_and_counts_are_the_same_when_the_key_falls_silent() -> None:
    clicks = [click("u", 1_000 * number, f"e{number}", "product_added", price=1.0) for number in range(5)]
    by_next = sessions(run(*clicks, click("u", HOUR, "next")))
    by_watermark = sessions(Worker().each(*clicks, click("other", HOUR, "next")))
    assert by_next == by_watermark


@pytest.mark.parametrize(
    ("types", "outcome"),
    [
        (["page_viewed"], "browse"),
        (["product_added"], "abandoned_cart"),
        (["product_added", "message_sent"], "support"),
        (["product_added", "message_sent", "order_completed"], "purchase"),
        (["order_completed", "product_added"], "purchase"),
    ],
)
def test_outcomes(types: list[str], outcome: str) -> None:
    clicks = [click("u", number, f"e{number}", type_) for number, type_ in enumerate(types)]
    assert sessions(run(*clicks, click("u", HOUR, "next")))[0]["outcome"] == outcome


def test_a_completed_order_empties_the_cart(feed: Feed) -> None:
    add = {"type_": "product_added", "price": 10.0}
    bought = click("u", 1, "b", "order_completed")
    found = feed(Worker(), click("u", 0, "a", **add), bought, click("u", 2, "c", **add))  # type: ignore[arg-type]
    assert [record.body["session"]["cart_value"] for record in found] == [10.0, 0.0, 10.0]


def test_several_sessions_of_a_user_in_one_batch_each_close_once(feed: Feed) -> None:
    found = feed(Worker(), *(click("u", number * (GAP + 1), f"e{number}") for number in range(5)))
    assert [closed["source_event_id"] for closed in sessions(found)] == ["e0", "e1", "e2", "e3"]


# Silence.


def test_a_session_closes_by_event_time_when_its_user_falls_silent() -> None:
    worker = Worker()
    worker.run(click("u", 0, "a"))
    assert sessions(worker.run(click("other", GAP + GRACE, "b"))) == []
    (closed,) = sessions(worker.run(click("other", GAP + GRACE + SECOND, "c")))
    assert (closed["user_id"], closed["ended_at"]) == ("u", START)
    assert sessions(worker.run(click("other", GAP + GRACE + 2 * SECOND, "d"))) == []


def test_a_session_closed_by_silence_is_not_closed_again_by_its_users_next() -> None:
    worker = Worker()
    found = worker.each(click("u", 0, "a"), click("other", HOUR, "b"), click("u", HOUR, "c"))
    assert [closed["user_id"] for closed in sessions(found)] == ["u"]
    assert found[-1].body["session"] == {"started_at": START + HOUR, "events": 1, "duration_ms": 0, "cart_value": 0.0}


def test_sessions_close_in_their_own_partition_only() -> None:
    worker = Worker(partitions=8)
    users = [f"user {number}" for number in range(40)]
    worker.run(*(click(user, 0, f"{user} a") for user in users))
    ahead = click(users[0], HOUR, "next")
    closed = on(SESSION_EVENTS, worker.run(ahead))
    home = worker.fetches([ahead])[0].partition
    assert {record.partition for record in closed} == {home}
    assert 1 < len(closed) < len(users)
