"""Sliding windows over a user's orders: exact at their ends, bounded in size."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.state.order_log import LOG_LENGTH, WINDOW_NAMES, WINDOWS_MS, OrderLog
from tests.schemas.strategies import unhurried

MONTH = WINDOWS_MS[-1]
NOW = 1_700_000_000_000

# Steps that end windows exactly, one millisecond early, and one late.
steps = st.sampled_from([0, 1, *(window + off for window in WINDOWS_MS for off in (-1, 0, 1))]) | st.integers(0, MONTH)
amounts = st.integers(1, 10**15)
orders = st.lists(st.tuples(steps, amounts), min_size=1, max_size=40)


def filled(*times: int) -> OrderLog:
    log = OrderLog()
    for time in times:
        log.add(NOW + time, 10)
    return log


@pytest.mark.parametrize(("name", "window"), [*zip(WINDOW_NAMES, WINDOWS_MS, strict=True)])
def test_a_window_ends_before_the_order_as_old_as_itself(name: str, window: int) -> None:
    place = WINDOW_NAMES.index(name)
    assert filled(0, window).windows(NOW + window)[0][place] == 1
    assert filled(0, window - 1).windows(NOW + window - 1)[0][place] == 2


def test_windows_are_10_minutes_1_hour_24_hours_7_and_30_days() -> None:
    minute, hour, day = 60_000, 3_600_000, 86_400_000
    assert (*zip(WINDOW_NAMES, WINDOWS_MS, strict=True),) == (
        ("10m", 10 * minute),
        ("1h", hour),
        ("24h", day),
        ("7d", 7 * day),
        ("30d", 30 * day),
    )


@unhurried
@given(orders)
def test_windows_are_those_of_a_list_of_all_orders(found: list[tuple[int, int]]) -> None:
    log = OrderLog()
    known: list[tuple[int, int]] = []
    for time, (_, amount) in zip(accumulate((step for step, _ in found), initial=NOW), found, strict=False):
        log.add(time, amount)
        known.append((time, amount))
        inside = [[(t, a) for t, a in known if time - window < t <= time] for window in WINDOWS_MS]
        assert log.windows(time) == ([len(one) for one in inside], [sum(a for _, a in one) for one in inside])


@unhurried
@given(st.lists(st.tuples(st.integers(0, 2 * MONTH), amounts), min_size=1, max_size=30))
def test_orders_out_of_order_are_counted_where_they_belong(found: list[tuple[int, int]]) -> None:
    log = OrderLog()
    known: list[tuple[int, int]] = []
    for time, amount in found:
        log.add(NOW + time, amount)
        known = [(t, a) for t, a in known if t > time - MONTH] + [(time, amount)]
        inside = [[a for t, a in known if time - window < t <= time] for window in WINDOWS_MS]
        assert log.windows(NOW + time) == ([len(one) for one in inside], [sum(one) for one in inside])


@unhurried
@given(orders)
def test_mean_deviation_and_latest_are_those_of_the_orders_before(found: list[tuple[int, int]]) -> None:
    log = OrderLog()
    known: list[tuple[int, int]] = []
    for time, (_, amount) in zip(accumulate((step for step, _ in found), initial=NOW), found, strict=False):
        log.add(time, amount)
        before = [(t, a) for t, a in known if t > time - MONTH]
        known.append((time, amount))
        mean, deviation, latest = log.before(time)
        assert latest == max((t for t, _ in before), default=0)
        expected = sum(a for _, a in before) / len(before) if before else 0
        spread = sum((a - expected) ** 2 for _, a in before) / len(before) if before else 0
        assert mean == pytest.approx(expected)
        assert deviation == pytest.approx(spread**0.5, abs=1e-6 * expected)


def test_an_outlier_does_not_blur_the_deviation_of_the_orders_before_it() -> None:
    log = OrderLog()
    for time, amount in enumerate([100_000, 300_000, 10**15]):
        log.add(NOW + time, amount)
    assert log.before(NOW + 2)[:2] == (200_000, 100_000)


def test_the_log_is_bounded_and_loses_no_order_of_the_month() -> None:
    log = OrderLog()
    for number in range(10_000):
        log.add(NOW + number, 5)
        assert len(log.times) <= LOG_LENGTH
    assert log.windows(NOW + 9_999) == ([10_000] * 5, [50_000] * 5)


def test_beyond_its_length_only_the_oldest_are_dated_later_than_they_were() -> None:
    hour = 3_600_000
    log = filled(*range(0, 2 * LOG_LENGTH * hour, hour))
    now = NOW + (2 * LOG_LENGTH - 1) * hour
    assert log.windows(now)[0] == [1, 1, 24, 2 * LOG_LENGTH, 2 * LOG_LENGTH]  # of the 7 days' 168, all 256


def test_orders_older_than_a_month_are_forgotten() -> None:
    log = filled(0, 1, MONTH)
    assert log.times == [NOW + 1, NOW + MONTH]


def test_an_order_dated_ahead_does_not_hide_those_that_follow() -> None:
    log = filled(0, 12 * MONTH, 1, 2)
    assert log.windows(NOW + 2)[0] == [2] * 5


@unhurried
@given(orders)
def test_packing_loses_nothing(found: list[tuple[int, int]]) -> None:
    log = OrderLog()
    for step, amount in found:
        log.add(NOW + step, amount)
    assert OrderLog.unpacked(log.packed()) == log
    assert all(-(1 << 63) <= number < 1 << 63 for number in log.packed())
