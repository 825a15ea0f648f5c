"""One wrong clock harms nobody else, and its own user for a bounded time."""

import pytest

from schemas.topics import INTENT_EVENTS
from tests.harness import DAY, START, Input, Worker, click, failures, on, order, run, scored


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
