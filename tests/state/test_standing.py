"""What decisions leave behind of a user is stored whole, and a freeze outlives the rest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.state.alert_groups import AlertGroup
from app.state.standing import MOST_GROUPS, MOST_MET, NO_DECISION, Standing
from tests.harness import HOUR, START

hashes = st.integers(0, 2**64 - 1)
times = st.integers(-(2**63), 2**63 - 1)
groups = st.builds(AlertGroup, reason=hashes, until=times, first=times, count=st.integers(1, 2**32 - 1))
ids = st.binary(min_size=16, max_size=16)


@settings(deadline=None)
@given(
    st.builds(
        Standing,
        freeze=ids,
        freezer=hashes,
        latest=ids,
        order=hashes,
        groups=st.lists(groups, max_size=4),
        session=times,
        met=st.lists(hashes, max_size=5),
    )
)
def test_it_comes_back_as_it_was_stored(standing: Standing) -> None:
    assert Standing.unpacked(standing.packed()) == standing


def test_a_session_meets_a_rule_once_and_no_more_rules_than_are_remembered() -> None:
    standing = Standing()
    assert [standing.meets(rule, 1) for rule in (7, 8, 7)] == [True, True, False]
    assert standing.meets(7, 2)
    assert [standing.meets(rule, 3) for rule in range(MOST_MET + 1)] == [True] * MOST_MET + [False]


def test_only_a_freeze_outlives_a_history() -> None:
    frozen = Standing(freeze=bytes(range(16)), freezer=7, latest=bytes(range(16)), order=9)
    assert frozen.begun_anew() == Standing(freeze=bytes(range(16)), freezer=7)
    assert Standing(latest=bytes(range(16)), order=9).begun_anew() is None
    assert Standing().freeze == NO_DECISION


def test_a_window_is_over_at_its_end_and_there_are_at_most_so_many_groups() -> None:
    standing = Standing()
    start = START - START % HOUR
    for reason in range(MOST_GROUPS):
        assert standing.group(reason, start, HOUR, start + HOUR) is not None
    assert standing.group(9, start, HOUR, start + HOUR) is None
    again = standing.group(1, start + HOUR - 1, HOUR, start + 2 * HOUR)
    assert again == AlertGroup(1, start + HOUR, start, 0)
    assert standing.group(9, start + HOUR, HOUR, start + 3 * HOUR) == AlertGroup(9, start + 2 * HOUR, start + HOUR, 0)
    assert len(standing.groups) == 1


@pytest.mark.parametrize("ahead", [HOUR + 1, 400 * HOUR])
def test_a_misdated_order_mutes_nothing_after_it(ahead: int) -> None:
    standing = Standing()
    start = START - START % HOUR
    standing.group(1, start + ahead, HOUR, start + ahead + HOUR)
    assert standing.group(1, start, HOUR, start + HOUR) == AlertGroup(1, start + HOUR, start, 0)


def test_a_group_is_told_when_its_count_has_more_digits_than_ever() -> None:
    group = AlertGroup(1, START + HOUR, START, 0)
    counts = [3, 4, 9, 12, 8, 11, 99, 100]
    assert [group.grows(count) for count in counts] == [True, False, False, True, False, False, False, True]
