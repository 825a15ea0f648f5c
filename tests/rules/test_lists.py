"""Lists: expiry, repetition, and a million entries."""

import numpy as np

from app.rules.lists import NEVER, named_list
from schemas.ruleset import Entry


def test_of_an_entry_that_is_there_twice_the_later_expiry_counts() -> None:
    found = named_list([Entry("a", "2030-01-01"), "a", Entry("b", "2030-01-02"), Entry("b", "2030-01-01")])
    assert len(found) == 2
    assert found.until(["a", "b", "c"]).tolist() == [NEVER, 1_893_542_400_000, 0]


def test_a_list_without_entries_holds_nothing() -> None:
    assert named_list([]).until(["a"]).tolist() == [0]


def test_a_million_entries_are_all_found_and_nothing_else() -> None:
    found = named_list([f"card {number}" for number in range(1_000_000)])
    assert len(found) == 1_000_000
    asked = [f"card {number}" for number in range(0, 1_000_000, 997)]
    assert (found.until(asked) == NEVER).all()
    assert not np.any(found.until([f"other {number}" for number in range(10_000)]))
