"""Events leave when they are due: never early, and all at once where the sender is behind."""

import asyncio
from collections.abc import Iterable

import pytest

from app.replay.pacing import EventTimePace, Pace, RatePace, paced
from app.replay.recorded import RecordedBatch


class ManualClock:
    """Time passes only by sleeping, and by `busy` seconds whenever events were sent."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def batch(*times: int) -> RecordedBatch:
    count = len(times)
    return RecordedBatch(["clickstream"] * count, [b"k"] * count, list(times), [b"%d" % time for time in times])


def sent_at(batches: Iterable[RecordedBatch], pace: Pace | None, busy: float = 0) -> list[tuple[float, list[int]]]:
    clock = ManualClock()

    async def run() -> list[tuple[float, list[int]]]:
        sent = []
        async for part in paced(batches, pace, clock):
            sent.append((round(clock.time - 100, 6), part.timestamps))
            clock.time += busy
        return sent

    return asyncio.run(run())


def test_without_a_pace_batches_go_as_they_are() -> None:
    assert sent_at([batch(1, 2), batch(9_000)], None) == [(0, [1, 2]), (0, [9_000])]


def test_event_time_passes_at_the_given_speed_across_batches() -> None:
    recording = [batch(50_000, 50_000, 54_000), batch(60_000)]
    assert sent_at(recording, EventTimePace(2)) == [(0, [50_000, 50_000]), (2, [54_000]), (5, [60_000])]


def test_a_rate_is_kept_whatever_the_times() -> None:
    recording = [batch(1, 1, 10**9), batch(2 * 10**9)]
    assert sent_at(recording, RatePace(2)) == [(0, [1]), (0.5, [1]), (1, [10**9]), (1.5, [2 * 10**9])]


def test_a_sender_that_is_behind_catches_up_at_once() -> None:
    recording = [batch(0, 1_000, 2_000, 3_000, 9_000)]
    assert sent_at(recording, EventTimePace(1), busy=2.5) == [
        (0, [0]),
        (2.5, [1_000, 2_000]),
        (5, [3_000]),
        (9, [9_000]),
    ]


def test_a_speed_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0, not 0"):
        EventTimePace(0)
    with pytest.raises(ValueError, match="above 0, not nan"):
        RatePace(float("nan"))
