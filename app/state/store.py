"""The local copy of a table: one RocksDB directory for each partition, one write batch for each step.

The store spares a restart the whole changelog; the changelog stays the truth. So a store is written only
after the changelog records of the same rows are durable, and may be wiped at any time.

RocksDB's write-ahead log is off. A crash then loses the write batches since the last flush, and nothing
else: all keys live in one column family, a write batch enters one memtable as a whole, and memtables are
flushed and recorded in the manifest in order (RocksDB wiki, "WAL" and "Atomic flush"). Since every batch
carries the changelog offset it stands for, what is found after a crash is a true older state with its own
offset, and recovery reads the rest from the changelog.
"""

import contextlib
import itertools
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompactionStyle,
    DBCompressionType,
    MemtableFactory,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

LAYOUT = 1
"""Version of what is on disk; a directory of another version is rebuilt from the changelog."""

MIB = 1 << 20

Rows: TypeAlias = tuple[list[bytes], list[bytes]]
"""Keys and their values, in key order."""

_MARK_KEY = b""  # sorts first; no row has it, since records without a key do not reach a table
_MARK = struct.Struct("<Hqq")  # layout, next changelog offset, time of writing (ms since the epoch)
_MARK_LAYOUT = struct.Struct("<H")


class StoreError(Exception):
    """The local store cannot be used: says which directory, what was found and what to do."""


class StoreLocked(StoreError):
    """Another process (or another handle) has the directory open. It is never wiped."""


class StoreUnusable(StoreError):
    """Damaged, or of another layout version. Wiping it and reading the changelog again mends it."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"local store {path}: {found}; it must be rebuilt from the changelog")
        self.found = found


class Stores:
    """The partition stores of one table of one worker, under one directory.

    Two workers need two directories. Memory is bounded for all partitions together: one block cache and one
    limit for what is not yet flushed.

    Args:
        directory: holds one sub-directory for each partition; made when needed.
        now_ms: the clock, in ms since the epoch; how old a store is decides whether it may still be used.
        cache_bytes: of the block cache that all partitions share.
        buffer_bytes: of unflushed rows, all partitions together: memory that a worker fills within minutes, and what a
            crash makes recovery read again.
        partition_buffer_bytes: of unflushed rows at which one partition is flushed.
    """

    def __init__(
        self,
        directory: Path,
        now_ms: Callable[[], int],
        *,
        cache_bytes: int = 32 * MIB,
        buffer_bytes: int = 32 * MIB,
        partition_buffer_bytes: int = 16 * MIB,
    ) -> None:
        self.directory = directory
        self._now_ms = now_ms
        self._cache = Cache(cache_bytes)
        self._buffers = WriteBufferManager(buffer_bytes, allow_stall=False)
        self._partition_buffer_bytes = partition_buffer_bytes

    def path(self, partition: int) -> Path:
        """Where the store of a partition is, or would be."""
        return self.directory / str(partition)

    def open(self, partition: int) -> "PartitionStore":
        """Open a partition for writing; makes it when there is none.

        Raises:
            StoreLocked: it is open already, here or in another process.
            StoreUnusable: damaged or of another layout: `wipe` it and open again.
            StoreError: the directory cannot be read or written (permissions, disk).
        """
        path = self.path(partition)
        path.mkdir(parents=True, exist_ok=True)
        return PartitionStore(path, _open(path, self._options(), AccessType.read_write()), self._now_ms)

    def open_read_only(self, partition: int) -> "PartitionStore":
        """Open a partition for reading, also while a worker has it open: it shows what was flushed last.

        Raises:
            StoreUnusable: damaged or of another layout.
            StoreError: there is no such partition here.
        """
        path = self.path(partition)
        if not path.is_dir():
            raise StoreError(f"no local store at {path}: no worker has kept partition {partition} there")
        return PartitionStore(path, _open(path, self._options(), AccessType.read_only(False)), self._now_ms)

    def wipe(self, partition: int) -> None:
        """Remove a closed partition from disk."""
        shutil.rmtree(self.path(partition), ignore_errors=True)

    def _options(self) -> Options:
        # Rows are read in one scan at start: an unsorted memtable and universal compaction write cheapest.
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_memtable_factory(MemtableFactory.vector())
        options.set_allow_concurrent_memtable_write(False)  # the vector memtable has none
        options.set_compaction_style(DBCompactionStyle.universal())
        options.set_compression_type(DBCompressionType.none())  # rows of floats do not compress
        options.set_write_buffer_size(self._partition_buffer_bytes)
        options.set_write_buffer_manager(self._buffers)
        options.set_max_background_jobs(2)
        options.set_keep_log_file_num(2)
        blocks = BlockBasedOptions()
        blocks.set_block_size(16 << 10)
        blocks.set_block_cache(self._cache)
        options.set_block_based_table_factory(blocks)
        return options


class PartitionStore:
    """The rows of one partition and the changelog offset they stand for.

    Not thread-safe: it belongs to whoever processes the partition.
    """

    def __init__(self, path: Path, db: Rdict, now_ms: Callable[[], int]) -> None:
        self.path = path
        self._db = db
        self._now_ms = now_ms
        self._write_options = WriteOptions()
        self._write_options.disable_wal = True
        try:
            self._offset, self._written_at_ms = self._read_mark()
        except BaseException:
            db.close()
            raise

    @property
    def offset(self) -> int | None:
        """The next changelog offset to read; None for a new store."""
        return self._offset

    @property
    def written_at_ms(self) -> int | None:
        """When the offset was last written, in ms since the epoch; None for a new store."""
        return self._written_at_ms

    def write(self, keys: Sequence[bytes], values: Sequence[bytes | None], changelog_offset: int) -> None:
        """Write rows, deletions (None) and the next changelog offset to read as one atomic batch.

        The order of the rows counts where a key comes twice. Call it only when the changelog holds these
        rows durably.

        Raises:
            ValueError: a row has the empty key, or the offset is below the one already written.
        """
        now = self._now_ms()
        if self._offset is not None and changelog_offset < self._offset:
            raise ValueError(f"{self.path}: changelog offset goes back from {self._offset} to {changelog_offset}")
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for key, value in zip(keys, values, strict=True):
            if not key:
                raise ValueError(f"{self.path}: a row cannot have the empty key")
            if value is None:
                delete(key)
            else:
                put(key, value)
        put(_MARK_KEY, _MARK.pack(LAYOUT, changelog_offset, now))
        self._db.write(batch, self._write_options)
        self._offset, self._written_at_ms = changelog_offset, now

    def get(self, key: bytes) -> bytes | None:
        """The value of one key; for looking things up by hand, not for the path of the data."""
        value: bytes | None = self._db.get(key) if key else None
        return value

    def scan(self, batch_rows: int = 16_384) -> Iterator[Rows]:
        """All rows in key order, by batches of at most `batch_rows`; no iterator stays open between them.

        Raises:
            StoreUnusable: a block is damaged. (RocksDB's own iteration just ends there.)
        """
        last = _MARK_KEY
        while rows := self._rows_after(last, batch_rows):
            last = rows[-1][0]
            yield [key for key, _ in rows], [value for _, value in rows]

    def flush(self) -> None:
        """Put everything written so far on disk; a crash loses nothing from before."""
        self._db.flush()

    def close(self) -> None:
        """Flush and release the directory at once; closing twice is harmless."""
        with contextlib.suppress(DbClosedError):
            self._db.close()

    def _rows_after(self, last: bytes, count: int) -> list[tuple[bytes, bytes]]:
        # An iterator that is still referenced keeps the directory locked after `close`, be it from a traceback.
        rows = [row for row in itertools.islice(self._db.items(from_key=last), count + 1) if row[0] != last]
        if len(rows) < count and (damage := self._damage_after(rows[-1][0] if rows else last)):
            raise StoreUnusable(self.path, damage)
        return rows[:count]

    def _damage_after(self, last: bytes) -> str | None:
        """What is wrong after the last row that the iteration gave, which ends at a damaged block as at the end."""
        end = self._db.iter()
        end.seek(last)
        if end.valid() and end.key() == last:
            end.next()
        try:
            end.status()
        except Exception as error:  # rocksdict has no narrower type
            return f"a block after key {last!r} is damaged ({error})"
        return f"the scan ended at key {last!r} although there are more rows" if end.valid() else None

    def _read_mark(self) -> tuple[int | None, int | None]:
        mark = self._db.get(_MARK_KEY)
        if mark is None:
            if self._rows_after(_MARK_KEY, 1):
                raise StoreUnusable(self.path, "rows without a layout version")
            return None, None
        (layout,) = _MARK_LAYOUT.unpack_from(mark) if len(mark) >= _MARK_LAYOUT.size else (None,)
        if layout != LAYOUT or len(mark) != _MARK.size:
            raise StoreUnusable(self.path, f"layout version {layout}, this build writes {LAYOUT}")
        _, offset, written_at_ms = _MARK.unpack(mark)
        return offset, written_at_ms


def _open(path: Path, options: Options, access: AccessType) -> Rdict:
    try:
        return Rdict(str(path), options, access_type=access)
    except Exception as error:  # rocksdict has no narrower type: the message tells
        raise _open_error(path, str(error)) from error


def _open_error(path: Path, message: str) -> StoreError:
    if "LOCK:" in message:
        return StoreLocked(f"local store {path} is open elsewhere: give each worker its own instance name ({message})")
    if message.startswith(("Corruption", "Invalid argument", "Not implemented")):
        return StoreUnusable(path, message)
    return StoreError(f"local store {path} cannot be opened: {message}")
