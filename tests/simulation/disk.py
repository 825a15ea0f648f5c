"""Local stores that survive their process, as ``app.state.store`` does: up to some write batch since the last flush."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from app.state.store import PartitionStore, Rows, StoreLocked, Stores

_Batch = tuple[dict[bytes, bytes | None], int]


@dataclass(eq=False)
class StoredPartition:
    """What is on disk of a partition, and the write batches that a crash may lose."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    offset: int | None = None
    unflushed: list[_Batch] = field(default_factory=list)
    is_open: bool = False

    def flush(self, batches: int | None = None) -> None:
        """Put the first of the write batches on disk for good, and forget the others."""
        for changes, offset in self.unflushed[:batches]:
            apply(self.rows, changes)
            self.offset = offset
        self.unflushed.clear()


def apply(rows: dict[bytes, bytes], changes: dict[bytes, bytes | None]) -> None:
    """Put changes into rows."""
    for key, value in changes.items():
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value


class Disk:
    """One worker's directory of stores."""

    def __init__(self) -> None:
        self.partitions: dict[int, StoredPartition] = {}

    def crash(self, rng: Random) -> None:
        """The process is gone: nothing is open any more, and the latest write batches may be lost."""
        for stored in self.partitions.values():
            stored.flush(rng.randint(0, len(stored.unflushed)))
            stored.is_open = False


class SimulatedStores(Stores):
    """A process's view of its disk, until it dies."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def open(self, partition: int) -> PartitionStore:
        stored = self.disk.partitions.setdefault(partition, StoredPartition())
        if stored.is_open:
            raise StoreLocked(f"partition {partition} is open already")
        stored.is_open = True
        return SimulatedStore(self, stored)

    def wipe(self, partition: int) -> None:
        self.disk.partitions.pop(partition, None)

    def die(self) -> None:
        """From here on nothing that the process does reaches the disk."""
        self.disk = Disk()


class SimulatedStore(PartitionStore):
    """An open partition."""

    def __init__(self, stores: SimulatedStores, stored: StoredPartition) -> None:
        self.path = Path("simulated")
        self._disk = stores.disk
        self._stores = stores
        self._stored = stored
        self._live = dict(stored.rows)
        self._offset = stored.offset

    @property
    def offset(self) -> int | None:
        return self._offset

    @property
    def written_at_ms(self) -> int | None:
        return None if self._offset is None else 0

    def write(self, keys: Sequence[bytes], values: Sequence[bytes | None], changelog_offset: int) -> None:
        if self._offset is not None and changelog_offset < self._offset:
            raise ValueError(f"changelog offset goes back from {self._offset} to {changelog_offset}")
        changes = dict(zip(keys, values, strict=True))
        apply(self._live, changes)
        self._offset = changelog_offset
        if self._stores.disk is self._disk:
            self._stored.unflushed.append((changes, changelog_offset))

    def get(self, key: bytes) -> bytes | None:
        return self._live.get(key)

    def scan(self, batch_rows: int = 16_384) -> Iterator[Rows]:
        if self._live:
            keys = sorted(self._live)
            yield keys, [self._live[key] for key in keys]

    def flush(self) -> None:
        if self._stores.disk is self._disk:
            self._stored.flush()

    def close(self) -> None:
        self.flush()
        if self._stores.disk is self._disk:
            self._stored.is_open = False
