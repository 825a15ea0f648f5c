"""The commit barrier (streaming pains 1, 2, 5, 6, 7, 21)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.ledger import Ledger

TP = ("clickstream", 0)


def owned(generation: int = 1) -> Ledger:
    ledger = Ledger()
    ledger.own([TP], generation)
    return ledger


@st.composite
def pieces_in_any_order(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Ends of consecutive pieces (with holes between them) and the order in which they become durable."""
    ends = sorted(draw(st.sets(st.integers(1, 10_000), min_size=1, max_size=40)))
    return ends, draw(st.permutations(ends))


@given(pieces_in_any_order())
def test_never_commits_past_work_that_is_not_durable(case: tuple[list[int], list[int]]) -> None:
    ends, order = case
    ledger, pending = owned(), set(ends)
    for end in ends:
        ledger.begin(TP, end)
    for end in order:
        ledger.mark_durable(TP, end)
        pending.discard(end)
        finished = [e for e in ends if e < min(pending, default=ends[-1] + 1)]
        assert ledger.durable(TP) == (finished[-1] if finished else None)
    assert ledger.committable() == {TP: ends[-1]}


@given(st.lists(st.integers(0, 1_000), min_size=1))
def test_offsets_never_move_back(offsets: list[int]) -> None:
    ledger = owned()
    for offset in offsets:
        ledger.mark_durable(TP, offset)
    assert ledger.durable(TP) == max(offsets)


def test_offset_holes_do_not_hold_the_commit_back() -> None:
    ledger = owned()
    ledger.begin(TP, 16)
    ledger.begin(TP, 9_000)
    ledger.mark_durable(TP, 9_000)
    assert ledger.committable() == {}
    ledger.mark_durable(TP, 16)
    assert ledger.committable() == {TP: 9_000}


def test_a_batch_becomes_durable_piecewise() -> None:
    ledger = owned()
    ledger.mark_durable(TP, 150)
    assert ledger.committable() == {TP: 150}
    ledger.mark_durable(TP, 200)
    assert ledger.committable() == {TP: 200}


def test_a_failed_commit_is_offered_again() -> None:
    ledger = owned()
    ledger.mark_durable(TP, 10)
    assert ledger.committable() == {TP: 10}
    assert ledger.committable() == {TP: 10}
    ledger.mark_committed({TP: 10})
    assert ledger.committable() == {}


def test_a_revoked_partition_is_forgotten_and_late_work_does_not_bring_it_back() -> None:
    ledger = owned()
    ledger.mark_durable(TP, 10)
    ledger.forget([TP])
    ledger.mark_durable(TP, 20)
    assert ledger.committable() == {}
    assert ledger.durable(TP) is None


def test_work_of_an_earlier_generation_commits_nothing() -> None:
    ledger = owned(generation=1)
    ledger.own([TP], generation=2)
    ledger.mark_durable(TP, 20, generation=1)
    assert ledger.committable() == {}
    ledger.mark_durable(TP, 20, generation=2)
    assert ledger.committable() == {TP: 20}


def test_pieces_must_begin_in_offset_order() -> None:
    ledger = owned()
    ledger.begin(TP, 10)
    with pytest.raises(ValueError, match="ending at 10 began after"):
        ledger.begin(TP, 10)
