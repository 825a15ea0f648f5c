"""What comes late by event time: within the grace, and beyond it."""

from schemas.topics import DEAD_LETTER
from tests.harness import DAY, HOUR, SECOND, Feed, Worker, click, label, on, order, scored


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
