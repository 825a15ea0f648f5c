"""One wrong clock harms nobody else, and its own user for a bounded time."""

import pytest

from app.step import Models
from schemas.topics import ALERTS, INTENT_EVENTS
from tests.fakes import FakeIntentModel, RiskByValue
from tests.harness import (
    DAY,
    HOUR,
    SECOND,
    START,
    Feed,
    Input,
    Worker,
    click,
    failures,
    on,
    order,
    run,
    scored,
    sessions,
)


def crowd(start: int, count: int, name: str = "e") -> list[Input]:
    """Clicks of many visitors, one a second."""
    return [click(f"user {number % 5}", start + 1_000 * number, f"{name}{number}") for number in range(count)]


@pytest.mark.parametrize("years", [2, 30, 76])
@pytest.mark.parametrize("together", [True, False])
def test_one_event_dated_years_ahead_closes_nobody_elses_session(years: int, together: bool) -> None:
    ahead = click("broken clock", years * 365 * DAY, "ahead")
    inputs = [*crowd(0, 10, "before "), ahead, *crowd(20_000, 10, "after ")]
    worker = Worker()
    found = worker.run(*inputs) if together else worker.each(*inputs)
    assert len(scored(found)) == 21
    assert {record.topic for record in found} == {INTENT_EVENTS}
    assert found[-1].body["session"]["started_at"] == START + 4_000


@pytest.mark.parametrize("together", [True, False])
def test_a_stream_that_begins_with_an_event_dated_years_ahead_loses_nothing(together: bool) -> None:
    inputs = [click("broken clock", 76 * 365 * DAY, "ahead"), *crowd(0, 10), order("user 4", 4_500, "o")]
    worker = Worker()
    found = worker.run(*inputs) if together else worker.each(*inputs)
    assert len(scored(found)) == 12
    assert failures(found) == []


def test_an_event_dated_years_ahead_does_not_part_orders_from_their_clicks() -> None:
    worker = Worker()
    ahead = click("broken clock", 9 * 365 * DAY, "ahead")
    worker.run(*crowd(0, 4), ahead, *crowd(5_000, 4, "later "), order("user 0", 5_500, "o"))
    assert worker.orders_saw("session_events") == [2]


def test_the_user_of_an_event_dated_years_ahead_goes_on_in_a_new_session() -> None:
    ahead = click("u", 9 * 365 * DAY, "ahead")
    found = run(click("u", 0, "a"), ahead, click("u", 1_000, "b"), click("u", 2_000, "c"))
    assert [record.body["session"]["events"] for record in on(INTENT_EVENTS, found)] == [1, 1, 1, 2]


def test_orders_after_one_dated_years_ahead_are_counted_all_the_same() -> None:
    worker = Worker()
    worker.each(order("u", 0, "a"), order("u", 9 * 365 * DAY, "ahead"), order("u", 1_000, "b"), order("u", 2_000, "c"))
    assert worker.orders_saw("orders_1h") == [1, 1, 1, 2]


YEARS = 70 * 365 * DAY
DAYS = [click("heart", day * DAY, f"day {day}") for day in range(1, 100)]


def test_the_row_of_an_event_dated_years_ahead_goes_60_days_after_it(feed: Feed) -> None:
    worker = Worker()
    found = feed(worker, click("heart", 0, "now"), click("u", YEARS, "ahead"), *DAYS[:60])
    assert sessions(found)[-1]["user_id"] == "heart"
    assert worker.pipeline.state.table.slot("u") is not None
    closed = [one for one in sessions(feed(worker, *DAYS[60:62])) if one["user_id"] == "u"]
    assert [one["started_at"] for one in closed] == [START + YEARS]
    assert worker.stored[0][b"u"] is None


def test_it_goes_across_restarts_as_well() -> None:
    worker = Worker()
    worker.run(click("heart", 0, "now"), click("u", YEARS, "ahead"))
    for day in DAYS[:62]:
        worker = worker.restarted()
        worker.run(day)
    assert worker.stored[0][b"u"] is None


def test_a_user_who_was_dated_years_ahead_is_quiet_from_then_on_by_the_time_that_was_accepted(feed: Feed) -> None:
    worker = Worker()
    feed(worker, click("heart", 0, "now"), click("u", 0, "a"), click("u", YEARS, "ahead"), click("u", DAY, "b"))
    table = worker.pipeline.state.table
    slot = table.slot("u")
    assert slot is not None
    assert (table.rows["last_seen"][slot], table.rows["accepted"][slot]) == (START + 30 * DAY, START + 31 * DAY)
    assert table.rows["sessions"][slot] == 2, "a history of its own began with the one ahead, and goes on"
    feed(worker, *DAYS[1:62])
    assert worker.stored[0][b"u"] is None


def test_an_order_dated_years_ahead_mutes_no_alert(feed: Feed) -> None:
    times = {"a": 1, "ahead": YEARS, "b": HOUR + 2, "c": HOUR + 3}
    orders = [order("u", at, id_, value=95.0) for id_, at in times.items()]
    found = feed(Worker(Models(FakeIntentModel(), RiskByValue())), click("heart", 0, "now"), *orders)
    assert [record.body["source_event_id"] for record in on(ALERTS, found)] == ["a", "ahead", "b"]


def test_whom_event_time_has_not_followed_yet_keeps_session_and_history(feed: Feed) -> None:
    """Only three visitors move event time on; until then who returned after long is right, and stays so."""
    worker = Worker()
    back = [click("u", 90 * DAY + second * SECOND, f"back {second}") for second in range(3)]
    found = feed(worker, click("u", 0, "a"), *back)
    others = [click(name, 90 * DAY + 4 * SECOND, name) for name in ("v", "w", "x")]
    found += feed(worker, *others, click("u", 90 * DAY + 10 * SECOND, "later"))
    seen = [record.body["session"]["events"] for record in on(INTENT_EVENTS, found) if record.key == b"u"]
    assert seen == [1, 1, 2, 3, 4]
    feed(worker, click("x", 91 * DAY, "next day"))
    assert worker.stored[0][b"u"] is not None
