"""Windows of event time: the same rows end them alike, however they come."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.drift.distribution import Distribution, reference_of
from app.drift.windows import DriftLimits, Rows, Window, Windows

HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR
LIMITS = DriftLimits(window_ms=HOUR, one_in=1, min_rows=10)
UNIFORM = np.linspace(0, 1, 200, dtype=np.float32)
DISTRIBUTION = Distribution(reference_of(["x"], UNIFORM[:, None], UNIFORM, np.ones(200)), ["x"])


def rows(*ts: int, value: float = 0.5) -> Rows:
    """Rows so many ms after the start, each of another user."""
    return Rows(
        [f"u{number}" for number in range(len(ts))],
        np.array(ts, np.int64) + START,
        np.full((len(ts), 1), value, np.float32),
        np.full(len(ts), value, np.float32),
    )


def every_minute(start: int, count: int, **more: float) -> Rows:
    return rows(*range(start, start + count * 60_000, 60_000), **more)


def part(whole: Rows, run: slice) -> Rows:
    return Rows(whole.users[run], whole.ts[run], whole.features[run], whole.scores[run])


def told(windows: list[Window]) -> list[tuple[int, int, int, int, list[float]]]:
    """Windows in plain values."""
    return [(one.end - START, one.rows, one.first_ts - START, one.last_ts - START, one.psi.tolist()) for one in windows]


def test_a_window_ends_with_the_first_row_after_it_and_tells_its_rows() -> None:
    windows = Windows(DISTRIBUTION, LIMITS)
    assert windows.take(every_minute(0, 60)) == []
    (window,) = windows.take(rows(HOUR + 5))
    assert (window.end, window.rows) == (START + HOUR, 60)
    assert (window.first_ts, window.last_ts) == (START, START + 59 * 60_000)
    assert window.names == ("x", "score")
    assert window.psi.min() > 0.25


def test_a_window_knows_nothing_of_the_one_before() -> None:
    windows = Windows(DISTRIBUTION, LIMITS)
    windows.take(every_minute(0, 60))
    values = np.tile(UNIFORM[5::20], 6)
    usual = every_minute(HOUR, len(values))
    windows.take(Rows(usual.users, usual.ts, values[:, None], values))
    (window,) = windows.take(rows(2 * HOUR))
    assert window.rows == len(values)
    assert window.psi.max() < 0.05


def test_a_window_of_few_rows_goes_on_with_the_next() -> None:
    windows = Windows(DISTRIBUTION, LIMITS)
    assert windows.take(every_minute(0, 9)) == []
    assert windows.take(rows(HOUR + 1)) == []
    (window,) = windows.take(rows(2 * HOUR + 1))
    assert (window.rows, window.first_ts, window.end) == (10, START, START + 2 * HOUR)


def test_one_wrong_clock_ends_no_window() -> None:
    windows = Windows(DISTRIBUTION, LIMITS)
    windows.take(every_minute(0, 30))
    assert windows.take(rows(5 * 365 * 24 * HOUR)) == []
    assert windows.take(every_minute(30 * 60_000, 10)) == []
    (window,) = windows.take(rows(HOUR))
    assert window.rows == 41


def test_a_replay_of_an_earlier_year_begins_anew() -> None:
    windows = Windows(DISTRIBUTION, LIMITS)
    windows.take(every_minute(0, 30))
    year = 365 * 24 * HOUR
    assert windows.take(every_minute(-year, 30)) == []
    (window,) = windows.take(rows(-year + HOUR))
    assert window.end == START - year + HOUR


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30 * 60_000), st.floats(0, 1, width=32)), min_size=1),
    st.lists(st.integers(1, 12), min_size=1),
)
def test_windows_do_not_depend_on_how_rows_were_cut(events: list[tuple[int, float]], sizes: list[int]) -> None:
    times = np.cumsum([gap for gap, _ in events])
    whole = Rows(
        [f"u{number % 7}" for number in range(len(events))],
        times + START,
        np.array([[value] for _, value in events], np.float32),
        np.array([value for _, value in events], np.float32),
    )
    limits = DriftLimits(window_ms=HOUR, one_in=1, min_rows=3)
    cut, start, turn = [], 0, 0
    in_parts, at_once = Windows(DISTRIBUTION, limits), Windows(DISTRIBUTION, limits)
    while start < len(whole):
        stop = min(start + sizes[turn % len(sizes)], len(whole))
        cut += told(in_parts.take(part(whole, slice(start, stop))))
        start, turn = stop, turn + 1
    assert cut == told(at_once.take(whole))
