"""What a swap of versions adds to the wait of an event, without a broker: only the worker's loop, its steps and loads.

python -m tests.benchmarks.bench_swap [EVENTS_PER_SECOND [SWAPS]]

Events become due in ticks of 5 ms, at the earliest after the tick before, and are stepped as they do; each second a
version is promoted or rolled back, every third of another encoder, as the control topic would have it. A tick waits
from when it is due to the end of its step. Prints the longest wait around each swap beside those of quiet half seconds.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import numpy as np
from prometheus_client import CollectorRegistry

from app.kafka.compacted import Changes
from app.ops.metrics import Metrics
from app.ops.progress import Progress
from app.ops.settings import load_settings
from app.registry.notices import Notice, Notices
from app.replay.fetches import Fetches
from app.replay.load import load
from app.step import Models
from app.tally import Tally
from app.worker.assembly import build_pipeline
from app.worker.models import model_registry
from app.worker.observer import Observer
from app.worker.run import load_models, settle_runtime
from app.worker.timed import timed
from schemas.control import ModelControl
from tests.models.repositories import add_version, committed

TICK_S, QUIET_S, WARM_UP_S = 0.005, 0.5, 3.0
USERS, SEED, START_TS, SCORED_AT = 50_000, 1, 1_770_000_000_000, 1_800_000_000_000


async def measure(repository: Path, rate: int, swaps: int) -> dict[str, object]:
    """Waits in ms around ``swaps`` swaps at ``rate`` events a second."""
    settings = load_settings(model_repository=repository, intent_version="1", max_idle_ms=0, partitions=1)
    observer = Observer(Metrics(CollectorRegistry()), Progress(time.monotonic), Tally())
    models = timed(load_models(settings), time.perf_counter, observer.model_called)
    pipeline = build_pipeline(settings, models, 1)

    async def nowhere(_: Notice) -> None:
        return None

    notices = Notices(nowhere)

    def swap(change: Callable[[Models], Models]) -> None:
        pipeline.models = change(pipeline.models)

    registry = model_registry(settings, models, swap, observer, notices)
    observer.registry = registry
    settle_runtime()
    asked: list[float] = []
    seconds = WARM_UP_S + swaps + 1
    following = asyncio.create_task(registry.follow(_controls(swaps, asked)))
    fetches, waits = Fetches(partitions=1), []
    per_tick = int(rate * TICK_S)
    events = load(
        int(rate * seconds) + per_tick, USERS, seed=SEED, start_ts=START_TS, events_per_second=rate, batch_rows=per_tick
    )
    started = time.monotonic()
    due = started
    for batch in events:
        due = max(due + TICK_S, time.monotonic())  # a machine that cannot keep up is not what is measured
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        for fetched in fetches.of(batch):
            pipeline.feed(fetched)
        while work := pipeline.work(lambda _: 0, 0.0, SCORED_AT):
            observer.stepped(work, 0.0)
        waits.append((due - started, (time.monotonic() - due) * 1e3))
        if due - started > seconds:
            break
    following.cancel()
    return _figures(np.array(waits), np.array(asked) - started, pipeline.models.intent.version)


async def _controls(swaps: int, asked: list[float]) -> AsyncIterator[Changes]:
    yield {}
    await asyncio.sleep(WARM_UP_S)
    for number in range(swaps):
        version, before = (("2", "1"), ("3", "2"), ("1", "3"))[number % 3]
        control = ModelControl("intent", number + 1, 0, "benchmark", serving=version, previous=before)
        asked.append(time.monotonic())
        yield {b"intent": msgspec.json.encode(control)}
        await asyncio.sleep(max(0.0, asked[-1] + 1 - time.monotonic()))


def _figures(waits: np.ndarray, asked: np.ndarray, version: str) -> dict[str, object]:
    due, wait = waits[:, 0], waits[:, 1]
    around = [wait[(due >= at) & (due < at + QUIET_S)].max(initial=0) for at in asked]
    quiet = [wait[(due >= at + QUIET_S) & (due < at + 2 * QUIET_S)].max(initial=0) for at in asked]
    return {
        "swaps": len(around),
        "served_at_the_end": version,
        "wait_ms": {"p50": round(float(np.median(wait)), 2), "p99": round(float(np.percentile(wait, 99)), 2)},
        "longest_around_a_swap_ms": _spread(around),
        "longest_in_a_quiet_half_second_ms": _spread(quiet),
        "added_at_most_ms": round(max(around) - float(np.median(quiet)), 1),
    }


def _spread(values: list[float]) -> dict[str, float]:
    low, middle, high = np.percentile(values, [0, 50, 100]).tolist()
    return {"min": round(low, 1), "median": round(middle, 1), "max": round(high, 1)}


def main(rate: int = 5_000, swaps: int = 20) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        repository = committed(Path(folder))
        add_version(repository, "intent", "2")
        add_version(repository, "intent", "3", encoder="another")
        sys.stdout.write(json.dumps(asyncio.run(measure(repository, rate, swaps))) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
