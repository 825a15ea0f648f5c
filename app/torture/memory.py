"""The memory of the workers over the run, and whether that of the one which is spared stays flat.

A worker that is killed begins anew with little. So in a long run one is killed no more after a few minutes; partitions
come to it and go with every fault of the others.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from app.torture.workers import VictimWorker

SPARED_AFTER_S = 300.0
"""From then on the last worker is spared, in a run that is long enough to judge it."""

SETTLED_AFTER_MINUTES, LEAST_MINUTES = 10, 20
_SPAN_MINUTES = 5
_EVERY_S = 1.0
_GROWTH = 1.1


class Memory:
    """The most resident memory of each worker in each minute."""

    def __init__(self) -> None:
        self._most: dict[str, list[float]] = {}

    async def watch(self, workers: Sequence[VictimWorker]) -> None:
        """Sample for ever."""
        started = time.monotonic()
        while True:
            minute = int((time.monotonic() - started) // 60)
            for worker in workers:
                self.note(worker.instance, minute, worker.rss_mb if worker.is_running else 0.0)
            await asyncio.sleep(_EVERY_S)

    def note(self, instance: str, minute: int, rss_mb: float) -> None:
        """One sample; minutes count from 0 and never go back."""
        series = self._most.setdefault(instance, [])
        series.extend([0.0] * (minute + 1 - len(series)))
        series[minute] = max(series[minute], rss_mb)

    def figures(self, spared: str | None) -> dict[str, Any]:
        """MB in each minute, and how that of the worker ``spared`` went on after ten minutes.

        ``ratio`` is the most in the last five minutes to the most in the five that follow the tenth. None where nobody
        was spared or the run was too short to tell.
        """
        found = {"by_minute": {name: [round(rss) for rss in series] for name, series in self._most.items()}}
        settled = self._most.get(spared or "", [])[SETTLED_AFTER_MINUTES:-1]  # the last minute is a part of one
        if len(settled) < 2 * _SPAN_MINUTES:
            return found | {"spared": spared, "ratio": None, "mb_per_hour": None, "is_flat": None}
        ratio = max(settled[-_SPAN_MINUTES:]) / max(max(settled[:_SPAN_MINUTES]), 1.0)
        slope = float(np.polyfit(np.arange(len(settled)), settled, 1)[0]) * 60
        return found | {
            "spared": spared,
            "ratio": round(ratio, 3),
            "mb_per_hour": round(slope),
            "is_flat": ratio <= _GROWTH,
        }
