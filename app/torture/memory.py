"""The memory of the workers over the run."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from app.torture.workers import VictimWorker

_EVERY_S = 1.0
_GROWTH = 1.1


class Memory:
    """Samples of resident memory."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, float]] = []

    async def watch(self, workers: Sequence[VictimWorker]) -> None:
        """Sample for ever."""
        while True:
            now = time.monotonic()
            self._samples += [(now, worker.rss_mb) for worker in workers if worker.is_running]
            await asyncio.sleep(_EVERY_S)

    def figures(self) -> dict[str, Any]:
        """The most that any worker had in the first tenth, until the middle and after it; whether it grows."""
        if not self._samples:
            return {}
        first, last = self._samples[0][0], self._samples[-1][0]
        tenth, middle = first + (last - first) / 10, (first + last) / 2
        early = max((rss for at, rss in self._samples if at < tenth), default=0.0)
        before = max((rss for at, rss in self._samples if tenth <= at < middle), default=0.0)
        after = max((rss for at, rss in self._samples if at >= middle), default=0.0)
        return {
            "first_tenth": round(early),
            "to_the_middle": round(before),
            "after_the_middle": round(after),
            "is_flat": after <= before * _GROWTH,
        }
