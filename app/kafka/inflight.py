"""How much has been delivered and is not durable yet: what backpressure goes by."""

from collections import deque

from app.kafka.fetched import Fetched, Partition
from app.kafka.options import TransportOptions


class InFlight:
    """Counts records, bytes and batches between delivery and durability, and says which partitions are full.

    A full partition is held until it has fallen to half of its limits, so that it is not paused and resumed
    at every batch. One batch may pass a limit: memory is bounded by the overall limits and a batch of each
    partition.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._loads: dict[Partition, _Load] = {}
        self._held: frozenset[Partition] = frozenset()

    def add(self, fetched: Fetched) -> None:
        """Count a batch that is being delivered."""
        load = self._loads.setdefault(fetched.tp, _Load())
        load.add(fetched.next_offset, len(fetched), fetched.size)

    def release(self, tp: Partition, durable: int) -> None:
        """Count out the batches that end at or before a durable offset."""
        if load := self._loads.get(tp):
            load.release(durable)

    def clear(self) -> None:
        """Forget everything: the partitions are given up, or will be read again."""
        self._loads.clear()
        self._held = frozenset()

    @property
    def records(self) -> int:
        """Records in flight, of all partitions."""
        return sum(load.records for load in self._loads.values())

    @property
    def size(self) -> int:
        """Bytes in flight, of all partitions."""
        return sum(load.size for load in self._loads.values())

    def held(self) -> frozenset[Partition]:
        """The partitions that are not to be read now."""
        crowded = self.records >= self._options.total_records or self.size >= self._options.total_bytes
        self._held = frozenset(
            tp
            for tp, load in self._loads.items()
            if load.batches and (crowded or load.reaches(self._options, 2 if tp in self._held else 1))
        )
        return self._held

    @property
    def is_holding(self) -> bool:
        """Whether the last call of `held` named any partition."""
        return bool(self._held)


class _Load:
    """One partition's batches in flight, in offset order."""

    __slots__ = ("batches", "records", "size")

    def __init__(self) -> None:
        self.batches: deque[tuple[int, int, int]] = deque()
        self.records = 0
        self.size = 0

    def add(self, next_offset: int, records: int, size: int) -> None:
        self.batches.append((next_offset, records, size))
        self.records += records
        self.size += size

    def release(self, durable: int) -> None:
        while self.batches and self.batches[0][0] <= durable:
            _, records, size = self.batches.popleft()
            self.records -= records
            self.size -= size

    def reaches(self, options: TransportOptions, fraction: int) -> bool:
        return (
            self.records * fraction >= options.partition_records
            or self.size * fraction >= options.partition_bytes
            or len(self.batches) * fraction >= options.partition_batches
        )
