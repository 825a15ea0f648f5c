"""Ends a worker that stands still, so that its partitions go to one that works."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.ops.metrics import Metrics
from app.ops.progress import Progress

log = structlog.get_logger(__name__)

INTERVAL_S = 1.0


async def watch(
    progress: Progress,
    limit_s: float,
    exit: Callable[[int], object],
    metrics: Metrics,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Look every second; once there was lag and no progress for ``limit_s``, call ``exit(1)`` and return.

    ``exit`` must not wait for the work that stands still: ``os._exit`` in production. An event loop that is
    itself blocked is not seen from here but by the liveness probe, ``/healthz``.
    """
    while (reason := progress.stalled(limit_s)) is None:
        await sleep(min(INTERVAL_S, limit_s))
    metrics.stalled()
    log.error("the worker stands still and ends with exit code 1", reason=reason, limit_s=limit_s)
    exit(1)
