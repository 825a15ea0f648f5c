"""Latency of an output, from the broker's append of its input.

It ends at the append of the output, stamped by the broker too; where outputs belong to transactions, when a consumer of
committed records has it, by this machine's clock: they are seen when their transaction ends, and not before.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from aiokafka import TopicPartition

from app.bench.reading import Input, Output, Reader, seen
from app.replay.load import load
from app.replay.pacing import RatePace
from app.replay.recorded import RecordedBatch
from app.replay.send import send
from schemas.topics import CLICKSTREAM, INTENT_EVENTS, ORDERS, RISK_EVENTS

WARM_UP_S = 5
_USERS = 50_000
_BATCH_ROWS = 512
_DAY_MS = 86_400_000
_FIRST_DAY_MS = 1_770_000_000_000


async def measure(broker: str, rate: int, seconds: int, run: int, until_seen: bool) -> dict[str, float]:
    """p50, p90, p99 and max in ms at ``rate`` events a second for ``seconds``, after a warm-up that does not count.

    Args:
        run: number of this measurement on the broker: each has events and a day of its own.
        until_seen: by a consumer of committed records; else until the output's append.
    """
    events = rate * (seconds + WARM_UP_S)
    made = load(
        events,
        _USERS,
        seed=1_000 + run,
        start_ts=_FIRST_DAY_MS + run * _DAY_MS,
        events_per_second=rate,
        batch_rows=_BATCH_ROWS,
    )
    recording = list(made)  # before, not while they are sent
    async with Reader(broker) as reader:
        inputs, outputs = await reader.ends([CLICKSTREAM, ORDERS]), await reader.ends([INTENT_EVENTS, RISK_EVENTS])
        if until_seen:
            done = await _while_sending(broker, recording, rate, outputs, events, seconds + WARM_UP_S)
        else:
            await send(recording, broker, pace=RatePace(rate))
            done = await reader.read(outputs, Output, events)
        sent = await reader.read(inputs, Input, events)
    first = min(sent.values()) + WARM_UP_S * 1_000
    waits = np.array([done[event] - at for event, at in sent.items() if at >= first])
    p50, p90, p99 = np.percentile(waits, [50, 90, 99]).tolist()
    return {"p50": p50, "p90": p90, "p99": p99, "max": float(waits.max()), "events": len(waits)}


async def _while_sending(
    broker: str,
    recording: Iterable[RecordedBatch],
    rate: int,
    outputs: dict[TopicPartition, int],
    events: int,
    seconds: float,
) -> dict[str, int]:
    """When each output was seen, by a process of its own: sending must not hold it up."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        seeing = asyncio.get_running_loop().run_in_executor(pool, seen, broker, outputs, events, seconds)
        await send(recording, broker, pace=RatePace(rate))
        return await seeing
