"""Latency of an output, from the broker's append of its input.

It ends at the append of the output, stamped by the broker too; where outputs belong to transactions, when a consumer of
committed records has it, by this machine's clock: they are seen when their transaction ends, and not before.
"""

import asyncio
import time
from collections.abc import Sequence

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.replay.load import load
from app.replay.pacing import RatePace
from app.replay.send import send
from schemas.topics import CLICKSTREAM, INTENT_EVENTS, ORDERS, RISK_EVENTS

WARM_UP_S = 5
_USERS = 50_000
_BATCH_ROWS = 512
_PATIENCE_S = 30.0
_DAY_MS = 86_400_000
_FIRST_DAY_MS = 1_770_000_000_000


class _Input(msgspec.Struct, gc=False):
    event_id: str


class _Output(msgspec.Struct, gc=False):
    source_event_id: str


async def measure(broker: str, rate: int, seconds: int, run: int, until_seen: bool) -> dict[str, float]:
    """p50, p90, p99 and max in ms at ``rate`` events a second for ``seconds``, after a warm-up that does not count.

    Args:
        run: number of this measurement on the broker: each has events and a day of its own.
        until_seen: by a consumer of committed records; else until the output's append.
    """
    events = rate * (seconds + WARM_UP_S)
    recording = load(
        events,
        _USERS,
        seed=1_000 + run,
        start_ts=_FIRST_DAY_MS + run * _DAY_MS,
        events_per_second=rate,
        batch_rows=_BATCH_ROWS,
    )
    async with _Reader(broker) as reader, _Reader(broker) as subscriber:
        inputs, outputs = await reader.ends([CLICKSTREAM, ORDERS]), await reader.ends([INTENT_EVENTS, RISK_EVENTS])
        if until_seen:
            seeing = asyncio.create_task(subscriber.read(outputs, _Output, events, seconds + WARM_UP_S, seen=True))
        await send(recording, broker, pace=RatePace(rate))
        done = await (seeing if until_seen else subscriber.read(outputs, _Output, events))
        sent = await reader.read(inputs, _Input, events)
    first = min(sent.values()) + WARM_UP_S * 1_000
    waits = np.array([done[event] - at for event, at in sent.items() if at >= first])
    p50, p90, p99 = np.percentile(waits, [50, 90, 99]).tolist()
    return {"p50": p50, "p90": p90, "p99": p99, "max": float(waits.max()), "events": len(waits)}


class _Reader:
    """Reads topics from a point on."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed")

    async def __aenter__(self) -> "_Reader":
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def ends(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """Where the partitions of ``topics`` end now."""
        await self._consumer.topics()
        cluster = await self._consumer._client.fetch_all_metadata()
        partitions = [
            TopicPartition(topic, number) for topic in topics for number in cluster.partitions_for_topic(topic)
        ]
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        return ends

    async def read(
        self,
        starts: dict[TopicPartition, int],
        kind: type[_Input] | type[_Output],
        count: int,
        during: float = 0.0,
        seen: bool = False,
    ) -> dict[str, int]:
        """By event id the append times in ms of ``count`` records after ``starts``, or when they are ``seen``.

        Args:
            during: seconds within which they are sent, if they are not there yet.
        """
        decoder = msgspec.json.Decoder(kind)
        self._consumer.assign(list(starts))
        for partition, offset in starts.items():
            self._consumer.seek(partition, offset)
        found: dict[str, int] = {}
        async with asyncio.timeout(_PATIENCE_S + during + count / 5_000):
            while len(found) < count:
                fetched = await self._consumer.getmany(timeout_ms=500)
                now_ms = time.time_ns() // 1_000_000
                for records in fetched.values():
                    for record in records:
                        event = decoder.decode(record.value)
                        id_ = event.event_id if isinstance(event, _Input) else event.source_event_id
                        found[id_] = now_ms if seen else record.timestamp
        return found
