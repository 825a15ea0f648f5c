"""Whether memory is flat is judged by the worker that is spared, after ten minutes."""

from collections.abc import Sequence

from app.torture.memory import Memory


def memory(*series: Sequence[float]) -> Memory:
    found = Memory()
    for number, minutes in enumerate(series, 1):
        for minute, rss_mb in enumerate(minutes):
            found.note(f"worker-{number}", minute, rss_mb)
    return found


def test_memory_that_rises_for_ten_minutes_and_then_stays_is_flat() -> None:
    found = memory([100 + 20 * min(minute, 9) for minute in range(31)]).figures("worker-1")
    assert (found["ratio"], found["mb_per_hour"], found["is_flat"]) == (1.0, 0, True)


def test_memory_that_goes_on_rising_is_not() -> None:
    found = memory([200 + 4 * minute for minute in range(61)]).figures("worker-1")
    assert (found["ratio"], found["mb_per_hour"], found["is_flat"]) == (1.703, 240, False)


def test_only_the_spared_worker_is_judged_and_all_are_shown() -> None:
    found = memory([100 + 9 * minute for minute in range(31)], [200] * 31).figures("worker-2")
    assert found["is_flat"] is True
    assert found["by_minute"]["worker-1"][:3] == [100, 109, 118]


def test_the_most_of_a_minute_counts_and_a_minute_without_a_process_is_none() -> None:
    found = Memory()
    for minute, rss_mb in [(0, 5.0), (0, 9.0), (0, 7.0), (3, 1.0)]:
        found.note("worker-1", minute, rss_mb)
    assert found.figures(None)["by_minute"] == {"worker-1": [9, 0, 0, 1]}


def test_a_run_that_is_too_short_or_spared_nobody_is_not_judged() -> None:
    assert memory([100] * 15).figures("worker-1")["is_flat"] is None
    assert memory([100] * 61).figures(None)["is_flat"] is None
