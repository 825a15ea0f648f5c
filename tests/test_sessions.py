"""Sessions and histories: when they begin, what they remember, when they are over, and that all this is event time."""

from typing import Any

import numpy as np
import pytest

from app.state.order_log import LOG_LENGTH
from app.state.rows import ROW
from schemas.topics import DEAD_LETTER, INTENT_EVENTS, SESSION_EVENTS
from tests.harness import (
    DAY,
    GAP,
    GRACE,
    HOUR,
    LIVES,
    MINUTE,
    SECOND,
    START,
    Feed,
    Input,
    Record,
    Worker,
    click,
    failures,
    label,
    on,
    order,
    run,
    scored,
)


def sessions(records: list[Record]) -> list[dict[str, Any]]:
    return [record.body for record in on(SESSION_EVENTS, records)]


def heartbeat(until: int) -> list[Input]:
    """Somebody else's clicks, one a day, that event time goes on by."""
    return [click("heart", at, f"beat {at}") for at in range(0, until + 1, DAY)]


@pytest.fixture(params=["together", "one by one"])
def feed(request: pytest.FixtureRequest) -> Feed:
    """How inputs are fed: what comes out must not depend on it."""
    return Worker.run if request.param == "together" else Worker.each


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


# Restarts.


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_silent_session_closes_exactly_once_across_restarts(partitions: int) -> None:
    worker = Worker(partitions=partitions)
    users = [f"user {number}" for number in range(12)]
    before = worker.run(*(click(user, 0, f"{user} a", "product_added", price=2.0) for user in users))
    assert sessions(before) == []
    found = []
    for at in (HOUR, 2 * HOUR, 2 * HOUR + SECOND):
        worker = worker.restarted()
        found += worker.run(*(click(f"other {number}", at, f"{number} at {at}") for number in range(20)))
    closed = [body["user_id"] for body in sessions(found) if body["user_id"] in users]
    assert sorted(closed) == sorted(users)


def test_a_restart_changes_nothing() -> None:
    inputs = [
        click("u", 0, "a", "product_added", price=3.0, product_id="p"),
        order("u", 1_000, "o1"),
        label("u", 2_000, "l"),
        click("u", 3_000, "b", "product_viewed", product_id="p"),
        click("v", 90 * SECOND, "c"),
        click("u", 20 * SECOND, "too late"),
        click("v", 90 * SECOND, "c"),
        order("u", 91 * SECOND, "o2"),
        click("u", HOUR, "d"),
    ]
    straight = Worker().each(*inputs)
    worker, broken = Worker(), []
    for one in inputs:
        broken += worker.run(one)
        worker = worker.restarted()
    assert [(record.topic, record.body, record.headers) for record in broken] == [
        (record.topic, record.body, record.headers) for record in straight
    ]
    assert failures(straight) == ["late_event"]


def test_rows_come_back_byte_for_byte() -> None:
    worker = Worker(partitions=3)
    worker.run(*(click(f"u{n % 7}", n * SECOND, f"c{n}", product_id=f"p{n % 3}") for n in range(50)))
    worker.run(*(order(f"u{n % 5}", 60 * SECOND + n, f"o{n}") for n in range(20)))
    table, other = worker.pipeline.state.table, worker.restarted().pipeline.state.table
    users = [f"u{n}" for n in range(7)]
    assert [other.value(user) for user in users] == [table.value(user) for user in users]
    assert None not in [table.value(user) for user in users]
    assert len(other) == len(table) == 7


# Late events.


def test_a_click_within_the_grace_counts_in_its_session(feed: Feed) -> None:
    found = feed(Worker(), click("u", 0, "a"), click("other", 100 * SECOND, "b"), click("u", 40 * SECOND, "late"))
    assert scored(found) == ["a", "b", "late"]
    assert found[-1].body["session"]["events"] == 2


def test_a_click_beyond_the_grace_is_a_dead_letter_with_its_bytes(feed: Feed) -> None:
    late = click("u", 40 * SECOND - 1, "late", headers=None)
    worker = Worker()
    found = feed(worker, click("u", 0, "a"), click("other", 100 * SECOND, "b"), late)
    assert scored(found) == ["a", "b"]
    (letter,) = on(DEAD_LETTER, found)
    assert letter.header("x-failure-type") == "late_event"
    assert letter.header("__connect.errors.stage") == "align"
    assert letter.header("__connect.errors.offset") == "2"
    assert (letter.key, letter.value) == (late.key, late.value)
    assert [work.effects.late for work in worker.works if work.effects.late] == [{"clickstream": 1}]


def test_a_late_click_of_somebody_new_leaves_no_row() -> None:
    worker = Worker()
    worker.each(click("other", HOUR, "a"), click("new", 0, "late"))
    assert worker.pipeline.state.table.slot("new") is None
    assert len(worker.pipeline.state.table) == 1


def test_a_late_order_is_judged_all_the_same_and_counted(feed: Feed) -> None:
    worker = Worker()
    found = feed(worker, click("other", 2 * HOUR, "a"), click("other", 2 * HOUR, "b"), order("u", 0, "late"))
    assert sorted(scored(found)) == ["a", "b", "late"]
    worker = Worker()
    found = worker.each(click("other", 2 * HOUR, "a"), order("u", 0, "late"))
    assert scored(found) == ["a", "late"]
    assert worker.works[-1].effects.late == {"orders": 1}
    assert worker.works[-1].effects.orders[0].late.tolist() == [True]


def test_a_late_label_is_taken_in() -> None:
    worker = Worker()
    worker.each(click("u", 0, "a"), click("other", DAY, "b"), label("u", 1, "l"), order("u", DAY, "o"))
    assert worker.orders_saw("known_frauds") == [1]


# Histories.


def test_a_history_lasts_over_sessions(feed: Feed) -> None:
    worker = Worker()
    found = feed(worker, click("u", 0, "a", "product_added"), click("u", DAY, "b"), click("u", 2 * DAY, "c"))
    assert worker.clicks_saw("user_sessions") == [1, 2, 3]
    assert worker.clicks_saw("user_adds") == [1, 1, 1]
    assert worker.clicks_saw("user_abandoned_carts") == [0, 1, 1]
    # The recurrent state goes on: the same click of somebody new scores otherwise.
    fresh = run(click("u", 2 * DAY, "c"))[0].body["probabilities"]
    assert on(INTENT_EVENTS, found)[-1].body["probabilities"] != fresh


@pytest.mark.parametrize(("quiet", "sessions_known"), [(30 * DAY, 2), (30 * DAY + 1, 1)])
def test_a_history_is_over_after_30_quiet_days(feed: Feed, quiet: int, sessions_known: int) -> None:
    worker = Worker()
    feed(worker, click("u", 0, "a"), click("u", quiet, "b"))
    assert worker.clicks_saw("user_sessions") == [1, sessions_known]


def test_what_begins_after_30_quiet_days_equals_a_beginning(feed: Feed) -> None:
    add = {"type_": "product_added", "price": 7.0, "product_id": "p"}
    old = [click("u", 0, "a", **add), order("u", 1, "o"), label("u", 2, "l")]  # type: ignore[arg-type]
    new = [click("u", 40 * DAY, "b"), order("u", 40 * DAY + 1, "p")]
    worker, fresh = Worker(), Worker()
    found = [record for record in feed(worker, *old, *new) if record.body.get("source_event_id") in ("b", "p")]
    assert found == feed(fresh, *new)
    for one in (worker, fresh):
        table = one.pipeline.state.table
        slot = table.slot("u")
        assert slot is not None
        table.rows["applied"][slot] = 0  # offsets go on
    assert worker.pipeline.state.table.value("u") == fresh.pipeline.state.table.value("u")


@pytest.mark.parametrize("whole", [True, False])
def test_a_session_and_its_history_that_are_both_over_go_in_the_same_step(whole: bool) -> None:
    worker = Worker()
    events = [click("quiet", 0, "q"), click("other", 20 * DAY, "a"), click("other", 30 * DAY + 2 * MINUTE, "b")]
    (worker.run if whole else worker.each)(*events)
    assert worker.pipeline.state.table.slot("quiet") is None
    assert worker.stored[0][b"quiet"] is None


def test_a_quiet_users_row_goes_with_a_tombstone_once_event_time_has_passed_it() -> None:
    worker = Worker()
    worker.run(click("u", 0, "a"), order("u", 1, "o"))
    worker.each(*heartbeat(30 * DAY))
    assert worker.pipeline.state.table.slot("u") is not None
    worker.run(click("heart", 30 * DAY + GRACE + 2 * SECOND, "last"))
    assert worker.pipeline.state.table.slot("u") is None
    assert worker.pipeline.state.table.logs == {}
    (change,) = worker.works[-1].changes
    assert dict(zip(change.keys, change.values, strict=True))[b"u"] is None
    assert worker.works[-1].effects.expired == 1
    assert worker.restarted().pipeline.state.table.value("u") is None


def test_labels_and_orders_keep_a_history_alive() -> None:
    worker = Worker()
    worker.each(click("u", 0, "a"), order("u", 20 * DAY, "o"), label("u", 40 * DAY, "l"), click("u", 60 * DAY, "b"))
    assert worker.clicks_saw("user_sessions") == [1, 2]


def test_the_row_of_a_closed_session_keeps_the_history_and_nothing_of_the_session() -> None:
    worker = Worker()
    worker.each(click("u", 0, "a", "product_added", product_id="p", category="c", price=2.0), click("other", HOUR, "b"))
    table = worker.pipeline.state.table
    slot = table.slot("u")
    assert slot is not None
    row = table.rows[slot]
    assert [int(np.sum(row[name])) for name in ("open", "events", "counts", "cart", "item_bits", "category_bits")] == [
        0
    ] * 6
    assert (row["sessions"], row["adds"], row["abandoned_carts"]) == (1, 1, 1)
    assert table.session_ids[slot] == table.last_event_ids[slot] == ""


# Replays.


def test_year_old_data_replays_like_live() -> None:
    def story(start: int) -> list[Input]:
        return [
            click("u", start, "a", "product_added", price=4.0),
            order("u", start + 1_000, "o1"),
            click("v", start + HOUR, "b"),
            order("u", start + HOUR, "o2"),
            click("v", start + HOUR - 2 * GRACE, "late"),
            click("u", start + 2 * HOUR, "c"),
            *(click("v", start + day * DAY, f"day {day}") for day in range(1, 32)),
        ]

    def told(start: int) -> list[object]:
        found = Worker().each(*story(start))
        assert failures(found) == ["late_event"]
        return [shifted(record.body, start) for record in found if record.body]

    def shifted(body: object, start: int) -> object:
        """The output as if the story began at 0; ids that are made of times left out."""
        if isinstance(body, dict):
            return {
                name: shifted(value, start) for name, value in body.items() if name not in ("session_id", "alert_id")
            }
        return (
            body - start if isinstance(body, int) and body > START - 1000 * DAY and body < START + 999 * DAY else body
        )

    # 52 weeks, so that times of day and weekdays agree.
    assert told(-52 * 7 * DAY) == told(0)


# Bounds.


def test_a_hot_key_leaves_one_row_of_bounded_size() -> None:
    worker = Worker(step_records=20_000)
    worker.run(*(click("bot", number, f"c{number}", product_id=f"p{number}") for number in range(10_000)))
    for start in range(0, 1_000, 500):
        worker.run(*(order("bot", 10_000 + start + n, f"o{start + n}") for n in range(500)))
    table = worker.pipeline.state.table
    assert len(table) == 1
    value = table.value("bot")
    assert value is not None
    assert len(value) <= ROW.itemsize + 6 + 2 * 256 + 3 * 8 * LOG_LENGTH
    assert worker.orders_saw("orders_30d")[-1] == 1_000


def test_orders_of_the_highest_value_never_outgrow_what_is_stored() -> None:
    worker = Worker(step_records=20_000)
    found = worker.run(*(order("bot", n, f"o{n}", value=1e12) for n in range(9_500)))
    assert len(scored(found)) == 9_500
    assert worker.restarted().pipeline.state.table.value("bot") == worker.pipeline.state.table.value("bot")


def test_a_bot_in_the_batch_does_not_change_others_results() -> None:
    people = [(n * 700, click(f"user {n % 9}", n * 700, f"c{n}", "product_added", price=1.5)) for n in range(120)]
    bot = [(n * 20, click("bot", n * 20, f"bot {n}", "login_failed")) for n in range(4_000)]
    orders = [order(f"user {n % 9}", n * 9_000, f"o{n}") for n in range(9)]
    mixed = sorted(people + bot, key=lambda pair: pair[0])
    alone = Worker().run(*(one for _, one in people), *orders)
    among = Worker(step_records=10_000).run(*(one for _, one in mixed), *orders)
    others = [record for record in among if record.key != b"bot"]
    assert len(scored(others)) == 129
    assert sorted(map(repr, others)) == sorted(map(repr, alone))


def test_live_rows_are_within_one_kibibyte() -> None:
    assert ROW.itemsize + 8 + 4 <= 1024 - 200  # beside it lie a key and two ids
    assert LIVES.gap_ms == GAP
