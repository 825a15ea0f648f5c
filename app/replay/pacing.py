"""When recorded events are sent: as fast as possible, by event time, or at a fixed rate."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from app.replay.recorded import RecordedBatch

Seconds = npt.NDArray[np.float64]

TICK_S = 0.005
"""Events due within one tick are sent together."""


class Clock(Protocol):
    """Seconds that only rise, and a way to let them pass."""

    def now(self) -> float:
        """Seconds since some fixed instant."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for that long."""
        ...


class MonotonicClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since some fixed instant."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for that long."""
        await asyncio.sleep(seconds)


class Pace(Protocol):
    """Says when events are to be sent."""

    def due(self, batch: RecordedBatch) -> Seconds:
        """When each event of the batch that comes next is due: seconds after the start, rising, float64."""
        ...


class EventTimePace:
    """`speed` times as fast as the events happened; 1 is real time."""

    def __init__(self, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"the speed must be above 0, not {speed}")
        self._speed = speed
        self._first: int | None = None

    def due(self, batch: RecordedBatch) -> Seconds:
        """By the time since the first event of the recording."""
        times = np.array(batch.timestamps, dtype=np.float64)
        if self._first is None and len(batch):
            self._first = batch.timestamps[0]
        return (times - (self._first or 0)) / (1000 * self._speed)


class RatePace:
    """A fixed number of events per second, whatever their times."""

    def __init__(self, events_per_second: float) -> None:
        if not events_per_second > 0:
            raise ValueError(f"the rate must be above 0, not {events_per_second}")
        self._rate = events_per_second
        self._events = 0

    def due(self, batch: RecordedBatch) -> Seconds:
        """By the number of events before it."""
        numbers = np.arange(self._events, self._events + len(batch))
        self._events += len(batch)
        return numbers / self._rate


async def paced(recording: Iterable[RecordedBatch], pace: Pace | None, clock: Clock) -> AsyncIterator[RecordedBatch]:
    """The events of `recording` as they become due, all at once where the sender is behind.

    Without a pace, every batch as it is.
    """
    start = clock.now()
    for batch in recording:
        if pace is None:
            yield batch
            continue
        due, sent = pace.due(batch), 0
        while sent < len(batch):
            elapsed = clock.now() - start
            end = int(np.searchsorted(due, elapsed, side="right"))
            if end > sent:
                yield batch.take(range(sent, end))
                sent = end
            else:
                await clock.sleep(max(float(due[sent]) - elapsed, TICK_S))
