"""Event time goes on with the records, and one wrong clock does not move it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.events.stream_time import MAX_JUMP_MS, StreamTime
from tests.harness import DAY, START
from tests.schemas.strategies import unhurried

YEAR = 365 * DAY


def advance(time: StreamTime, *records: tuple[str, int]) -> list[int]:
    """The watermark after each (visitor, ms after START), in ms after START."""
    ts = np.array([START + after for _, after in records], np.int64)
    return [int(at) - START for at in time.advance(ts, lambda: [user for user, _ in records])]


def test_the_watermark_is_the_latest_time_seen() -> None:
    assert advance(StreamTime(), ("u", 0), ("v", 5), ("u", 3), ("v", 9)) == [0, 5, 5, 9]


def test_no_records_are_no_time() -> None:
    time = StreamTime()
    assert advance(time) == []
    assert time.watermark == 0


def test_a_jump_up_to_the_limit_counts_at_once() -> None:
    assert advance(StreamTime(), ("u", 0), ("u", MAX_JUMP_MS)) == [0, MAX_JUMP_MS]
    assert advance(StreamTime(), ("u", 0), ("u", MAX_JUMP_MS + 1)) == [0, 0]


def test_one_visitor_far_ahead_moves_nothing_however_often() -> None:
    records = [("u", 0), *(("broken", YEAR + n) for n in range(10)), ("v", 5)]
    assert advance(StreamTime(), *records)[-1] == 5


def test_three_visitors_in_a_row_move_it_ahead_or_back() -> None:
    assert advance(StreamTime(), ("u", 0), ("u", 1), ("a", YEAR), ("b", YEAR + 5), ("c", YEAR + 3)) == [
        *[0, 1, 1, 1],
        YEAR + 5,
    ]
    assert advance(StreamTime(), ("u", 0), ("u", 1), ("a", -YEAR), ("b", 5 - YEAR), ("c", 3 - YEAR))[-1] == 5 - YEAR


def test_a_record_in_time_between_them_makes_three_wrong_clocks_count_anew() -> None:
    records = [("u", 0), ("u", 1), ("a", YEAR), ("b", YEAR), ("u", 2), ("c", YEAR), ("d", YEAR)]
    assert advance(StreamTime(), *records)[-1] == 2


def test_wrong_clocks_in_both_directions_do_not_add_up() -> None:
    records = [("u", 0), ("u", 1), ("a", YEAR), ("b", -YEAR), ("c", YEAR), ("d", -YEAR)]
    assert advance(StreamTime(), *records)[-1] == 1


def test_a_first_record_far_ahead_gives_way_to_the_second() -> None:
    assert advance(StreamTime(), ("broken", 70 * YEAR), ("u", 0), ("u", 1)) == [70 * YEAR, 0, 1]


def test_a_first_record_that_was_followed_up_does_not_give_way() -> None:
    assert advance(StreamTime(), ("u", 0), ("v", 1), ("broken", -20 * YEAR), ("u", 2)) == [0, 1, 1, 2]


def test_the_first_record_gives_way_after_a_restart_too() -> None:
    time = StreamTime()
    advance(time, ("broken", 70 * YEAR))
    assert advance(StreamTime(time.watermark, time.confirmed, list(time.witnesses)), ("u", 0)) == [0]


times = st.sampled_from([0, 1, 1_000, DAY, 29 * DAY, 31 * DAY, YEAR, -YEAR, -29 * DAY, 40 * YEAR]) | st.integers(
    0, YEAR
)


@unhurried
@given(records=st.lists(st.tuples(st.sampled_from("abcd"), times), max_size=30), cuts=st.lists(st.integers(0, 30)))
def test_any_cut_gives_the_same_watermarks(records: Sequence[tuple[str, int]], cuts: list[int]) -> None:
    whole, pieces, single = StreamTime(), StreamTime(), StreamTime()
    expected = [advance(single, one)[0] for one in records]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    found = [at for start, stop in pairwise(bounds) for at in advance(pieces, *records[start:stop])]
    assert advance(whole, *records) == expected == found
    assert whole == single == pieces
