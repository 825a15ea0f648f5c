"""A user's history: what it keeps over sessions, and when it is over."""

import numpy as np
import pytest

from schemas.topics import INTENT_EVENTS
from tests.harness import DAY, GRACE, HOUR, MINUTE, SECOND, Feed, Worker, click, heartbeat, label, on, order, run


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
        table.rows["applied"][slot] = table.rows["accepted"][slot] = 0  # offsets and event time go on
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
