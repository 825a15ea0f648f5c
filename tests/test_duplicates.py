"""An event that comes again is scored once, as long as its user's row remembers it."""

import pytest

from tests.harness import DAY, Worker, click, order, scored


def test_a_repeated_event_id_is_scored_once_and_counted() -> None:
    worker = Worker()
    assert scored(worker.run(click("u", 0, "a"), click("u", 1, "a"), click("u", 2, "b"))) == ["a", "b"]
    assert scored(worker.run(click("u", 3, "a"), order("u", 4, "b"), click("u", 5, "c"))) == ["c"]
    assert worker.duplicates == 3


def test_the_same_event_id_of_two_users_is_two_events() -> None:
    worker = Worker()
    assert scored(worker.run(click("u", 0, "a"), click("v", 1, "a"))) == ["a", "a"]
    assert worker.duplicates == 0


@pytest.mark.parametrize("together", [True, False])
def test_the_users_latest_16_event_ids_are_remembered(together: bool) -> None:
    worker = Worker()
    inputs = [click("u", number, f"e{number}") for number in range(17)]
    inputs += [click("u", 20, "e1"), click("u", 21, "e0"), click("u", 22, "e1")]
    found = worker.run(*inputs) if together else worker.each(*inputs)
    # e1 was within the memory; e0 was not, and pushed e1 out.
    assert scored(found) == [*(f"e{number}" for number in range(17)), "e0", "e1"]
    assert worker.duplicates == 1


@pytest.mark.parametrize("together", [True, False])
def test_event_ids_are_forgotten_with_the_history(together: bool) -> None:
    worker = Worker()
    inputs = [
        click("u", 0, "a"),
        click("u", 30 * DAY, "a"),
        click("u", 30 * DAY + 1, "b"),
        click("u", 60 * DAY + 2, "a"),
    ]
    found = worker.run(*inputs) if together else worker.each(*inputs)
    assert scored(found) == ["a", "b", "a"]
    assert worker.duplicates == 1
