"""Bring the rows of partitions back: first the local store, then what the changelog has beyond it.

A partition is done when the *position* has reached the end of the log. The last record's offset says nothing:
a changelog may end in a transaction marker, an aborted batch or a hole that compaction left, and may have no
record at all. The end is the high watermark, also where only committed records are read: a transaction that
is still open there is waited for, until it ends or the broker's time-out ends it.

A local store is given up, and its partition read from the start of the changelog, when it is damaged or of
another layout, ahead of the changelog (the topic was made anew), behind its start (records were deleted that
may have changed what the store holds) or older than the topic keeps tombstones (a deletion may be missing; see
also Kafka's KIP-1259). Each is reported with its reason. A topic made anew that has already grown past the
store's offset cannot be told apart by offsets: whoever deletes a changelog deletes the local state as well.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka.fetcher import Active, ColumnConsumer
from app.kafka.options import TransportOptions
from app.state.changelog import Changelog
from app.state.memory import give_back_memory
from app.state.restoring import PartitionReport, RestoredPartition, Rows
from app.state.store import PartitionStore, Stores

STALLED_S = 120.0
"""No progress for so long is an error: longer than a broker lets a transaction stay open by default."""

_Consumer = TypeVar("_Consumer", bound=AIOKafkaConsumer)

_READING = TransportOptions(batch_records=16_384, batch_bytes=8 << 20, fetch_bytes=8 << 20, fetch_interval_ms=0)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one partition is, in changelog offsets."""

    partition: int
    position: int
    end: int


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What a recovery took; `seconds` on the wall."""

    partitions: tuple[PartitionReport, ...]
    seconds: float


class UnreadableRows(Exception):
    """The latest row of some keys cannot be read by this build."""


class RecoveryStalled(Exception):
    """The changelog cannot be read to its end."""


async def recover(
    partitions: Collection[int],
    stores: Stores,
    rows: Rows,
    changelog: Changelog,
    broker: Mapping[str, Any],
    *,
    now_ms: Callable[[], int],
    on_progress: Callable[[Progress], None] = lambda progress: None,
    stalled_s: float = STALLED_S,
) -> tuple[dict[int, PartitionStore], RecoveryReport]:
    """Load the rows of `partitions`, and leave their stores open at the end of the changelog.

    Whoever wrote the partitions before must be unable to write by now (its transaction fenced).

    Args:
        partitions: not open in this process.
        broker: what an aiokafka client takes to connect: `bootstrap_servers`, and security where needed.
        now_ms: the clock, in ms since the epoch.
        stalled_s: seconds without progress that are an error.

    Returns:
        The open stores by partition, and the report. On any error, and when cancelled, every store is closed
        again; what was read until then is kept on disk.

    Raises:
        UnreadableRows: rows of another version or length are still the latest of their keys.
        RecoveryStalled: no progress for `stalled_s`.
        StoreLocked, StoreError: a local directory cannot be used, and wiping it would not help.
        aiokafka.errors.KafkaError: what the broker said.
    """
    started = time.perf_counter()
    restored: list[RestoredPartition] = []
    try:
        bounds = await _log_bounds(broker, [TopicPartition(changelog.topic, each) for each in partitions])
        for tp, (log_start, end) in bounds.items():
            restored.append(RestoredPartition(tp, stores, rows, log_start, end))
            restored[-1].open(now_ms() - changelog.tombstones_kept_ms * 7 // 8)
            await restored[-1].load_stored()
        await _read_changelog(restored, broker, on_progress, stalled_s)
        _require_readable(changelog, restored)
        for each in restored:
            each.finish()
        give_back_memory()
    except BaseException:
        for each in restored:
            each.close()
        raise
    report = RecoveryReport(tuple(each.report() for each in restored), time.perf_counter() - started)
    return {each.tp.partition: each.store for each in restored}, report


async def _log_bounds(broker: Mapping[str, Any], tps: list[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
    async with _running(AIOKafkaConsumer(isolation_level="read_uncommitted", **broker)) as consumer:
        starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    return {tp: (starts[tp], ends[tp]) for tp in tps}


async def _read_changelog(
    restored: Sequence["RestoredPartition"],
    broker: Mapping[str, Any],
    on_progress: Callable[[Progress], None],
    stalled_s: float,
) -> None:
    pending = {each.tp: each for each in restored if each.position < each.end}
    if not pending:
        return
    consumer = ColumnConsumer(_READING, auto_offset_reset="none", fetch_max_bytes=_READING.total_bytes, **broker)
    async with _running(consumer):
        consumer.assign(list(pending))
        for tp, each in pending.items():
            consumer.seek(tp, each.position)
        moved_at = time.monotonic()
        for turn in count(1):
            active = Active(turn, frozenset(pending))
            pieces = await consumer.columns.fetched(active, frozenset(), 0, lambda: True, timeout=1.0)
            for piece in pieces:
                each = pending[TopicPartition(*piece.tp)]
                each.take(piece)
                on_progress(Progress(piece.partition, each.position, each.end))
                await asyncio.sleep(0)
            pending = {tp: each for tp, each in pending.items() if each.position < each.end}
            if not pending:
                return
            moved_at = time.monotonic() if pieces else moved_at
            if time.monotonic() - moved_at > stalled_s:
                raise RecoveryStalled(_stalled(pending, stalled_s))


def _stalled(pending: Mapping[TopicPartition, "RestoredPartition"], stalled_s: float) -> str:
    tp, each = next(iter(pending.items()))
    return (
        f"{tp.topic}[{tp.partition}]: nothing to read at offset {each.position} of {each.end} for {stalled_s:.0f} s; "
        "a transaction of another worker may be open there: see `kafka-transactions.sh --find-hanging`"
    )


def _require_readable(changelog: Changelog, restored: Sequence["RestoredPartition"]) -> None:
    count = sum(len(each.unreadable) for each in restored)
    if not count:
        return
    each = next(each for each in restored if each.unreadable)
    key, value = next(iter(each.unreadable.items()))
    raise UnreadableRows(
        f"{changelog.topic}: this build cannot read the latest row of {count} keys, as of key {key!r} in partition "
        f"{each.tp.partition} (version {value[:1].hex() or 'none'}, {len(value)} bytes): run the version that wrote "
        "them, or send a tombstone for each key to forget them"
    )


@asynccontextmanager
async def _running(consumer: _Consumer) -> AsyncIterator[_Consumer]:
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()
