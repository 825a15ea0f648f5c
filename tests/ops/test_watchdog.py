"""The watchdog: lag and no progress ends the process, with code 1."""

import asyncio

import structlog
from prometheus_client import CollectorRegistry

from app.ops.metrics import Metrics
from app.ops.progress import Progress
from app.ops.watchdog import watch
from tests.ops.clock import Clock


def test_lag_without_progress_ends_the_process() -> None:
    clock, codes, metrics = Clock(), list[int](), Metrics(CollectorRegistry())
    progress = Progress(clock)
    progress.assigned([0])
    progress.lag(7)
    with structlog.testing.capture_logs() as lines:
        asyncio.run(watch(progress, 10, codes.append, metrics, clock.sleep))
    assert codes == [1]
    assert clock.now == 10
    assert metrics.registry.get_sample_value("sluice_watchdog_stalls_total") == 1
    assert [line["reason"] for line in lines] == ["no progress for 10 s with a lag of 7 records"]


def test_a_worker_that_advances_is_left_alone_until_it_stops() -> None:
    clock, codes = Clock(), list[int]()
    progress = Progress(clock)
    progress.assigned([0])
    progress.lag(7)

    async def work_for_100_seconds(seconds: float) -> None:
        await clock.sleep(seconds)
        if clock.now <= 100:
            progress.advanced(1)

    asyncio.run(watch(progress, 10, codes.append, Metrics(CollectorRegistry()), work_for_100_seconds))
    assert clock.now == 110
    assert codes == [1]
