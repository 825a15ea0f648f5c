"""The commit barrier (streaming pains 1, 2, 5, 6, 7, 21)."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from app.kafka.ledger import Ledger

TP = ("clickstream", 0)


def owned(generation: int = 1) -> Ledger:
    ledger = Ledger()
    ledger.own([TP], generation)
    return ledger


@given(st.lists(st.integers(0, 1_000), min_size=1))
def test_offsets_never_move_back_and_each_move_is_told_once(offsets: list[int]) -> None:
    told: list[int] = []
    ledger = Ledger(on_durable=lambda _, offset: told.append(offset))
    ledger.own([TP], 1)
    for offset in offsets:
        ledger.mark_durable(TP, offset)
    assert ledger.durable(TP) == max(offsets)
    assert told == sorted(set(accumulate(offsets, max)))


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
