"""One partition on its way back: its local store judged, its rows loaded, its changelog applied."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from aiokafka import TopicPartition

from app.kafka.fetched import Fetched
from app.state.store import PartitionStore, Stores, StoreUnusable


class Rows(Protocol):
    """Where the rows go: the columns in memory."""

    def load(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Put rows in, or remove them where the value is None. No key comes twice in one call."""

    def drop(self, partition: int) -> None:
        """Forget every row of the partition; there may be none."""

    def unreadable(self, values: Sequence[bytes | None]) -> Sequence[int]:
        """The positions of values that are not rows of this build: another version, a wrong length."""


class Rebuilt(StrEnum):
    """Why a local store was given up."""

    UNUSABLE = "unusable"
    AHEAD = "ahead"
    TRIMMED = "trimmed"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """What recovering one partition took.

    Attributes:
        stored: rows that the local store had.
        records: read from the changelog, tombstones included; `bytes` of their keys and values.
        start, end: changelog offsets between which they lie.
        keyless: of the records, those with no key or an empty one: no row of ours, left out.
        log_start: the first offset the changelog still has; above 0 its head was deleted, and rows with it.
        rebuilt: why the local store was given up, or None; `found` says it in words.
    """

    partition: int
    stored: int
    records: int
    bytes: int
    start: int
    end: int
    keyless: int
    log_start: int
    rebuilt: Rebuilt | None
    found: str


class RestoredPartition:
    """Holds the store from `open` on; whoever made it takes the store over or calls `close`."""

    def __init__(self, tp: TopicPartition, stores: Stores, rows: Rows, log_start: int, end: int) -> None:
        self.tp = tp
        self.store: PartitionStore
        self.position = self.start = log_start
        self.end = end
        self.unreadable: dict[bytes, bytes] = {}
        self._stores = stores
        self._rows = rows
        self._log_start = log_start
        self._stored = self._records = self._bytes = self._keyless = 0
        self._rebuilt: Rebuilt | None = None
        self._found = ""

    def open(self, oldest_ms: int) -> None:
        """Open the local store, or an empty one in the place of one that must not be used.

        Args:
            oldest_ms: a store behind the changelog and written before this may lack deletions.
        """
        try:
            self.store = self._stores.open(self.tp.partition)
        except StoreUnusable as error:
            self._rebuild(Rebuilt.UNUSABLE, error.found)
            return
        if self.store.offset is not None:
            self._judge(self.store.offset, oldest_ms)

    def _judge(self, offset: int, oldest_ms: int) -> None:
        if offset > self.end:
            self._rebuild(Rebuilt.AHEAD, f"store at offset {offset}, changelog ends at {self.end}")
        elif offset < self._log_start:
            self._rebuild(Rebuilt.TRIMMED, f"store at offset {offset}, changelog starts at {self._log_start}")
        elif offset < self.end and (self.store.written_at_ms or 0) < oldest_ms:
            self._rebuild(Rebuilt.STALE, f"store at offset {offset} of {self.end} is older than tombstones are kept")
        else:
            self.position = self.start = offset

    async def load_stored(self) -> None:
        """Load what the local store has; from here on the rows of the partition are ours."""
        self._rows.drop(self.tp.partition)
        try:
            for keys, values in self.store.scan():
                self._load(keys, values)
                self._stored += len(keys)
                await asyncio.sleep(0)
        except StoreUnusable as error:
            self._rows.drop(self.tp.partition)
            self._rebuild(Rebuilt.UNUSABLE, error.found)

    def take(self, piece: Fetched) -> None:
        """Apply what one fetch returned: to disk with the new position, then to memory."""
        self._records += len(piece)
        self._bytes += piece.size
        latest = dict(zip(piece.keys, piece.values, strict=True))
        if None in latest or b"" in latest:
            self._keyless += sum(not key for key in piece.keys)
            latest.pop(None, None), latest.pop(b"", None)
        keys: list[bytes] = list(latest)  # type: ignore[arg-type]
        values = list(latest.values())
        self.store.write(keys, values, piece.next_offset)
        self._load(keys, values)
        self.position = piece.next_offset

    def finish(self) -> None:
        """Note in the store that it lacks nothing as of now, also where nothing was read; what was is put on disk."""
        self.store.write([], [], self.position)
        if self._records:
            self.store.flush()

    def close(self) -> None:
        """Give the partition up: rows and store."""
        self._rows.drop(self.tp.partition)
        if hasattr(self, "store"):
            self.store.close()

    def report(self) -> PartitionReport:
        """What it took so far."""
        return PartitionReport(
            partition=self.tp.partition,
            stored=self._stored,
            records=self._records,
            bytes=self._bytes,
            start=self.start,
            end=self.position,
            keyless=self._keyless,
            log_start=self._log_start,
            rebuilt=self._rebuilt,
            found=self._found,
        )

    def _load(self, keys: list[bytes], values: Sequence[bytes | None]) -> None:
        for key in keys if self.unreadable else ():
            self.unreadable.pop(key, None)
        if bad := set(self._rows.unreadable(values)):
            self.unreadable.update({keys[each]: values[each] or b"" for each in bad})
            keys = [key for each, key in enumerate(keys) if each not in bad]
            values = [value for each, value in enumerate(values) if each not in bad]
        self._rows.load(self.tp.partition, keys, values)

    def _rebuild(self, reason: Rebuilt, found: str) -> None:
        if hasattr(self, "store"):
            self.store.close()
        self._stores.wipe(self.tp.partition)
        self.store = self._stores.open(self.tp.partition)
        self._rebuilt, self._found = reason, found
        self._stored, self.unreadable = 0, {}
        self.position = self.start = self._log_start
