"""The partitions that a worker holds, and which work on them still counts.

A step changes rows in memory first and the store last, after its changelog records are durable. When the group
changes hands in between, that work may never have been committed: such a partition is not kept but
read back, and what comes late from the old work is refused.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from app.state.recovery import RecoveryReport
from app.state.restoring import Rows
from app.state.store import PartitionStore

Recover: TypeAlias = Callable[[Collection[int]], Awaitable[tuple[dict[int, PartitionStore], RecoveryReport]]]
"""`recover` of partitions, with everything else bound."""

TakeOver: TypeAlias = Callable[[Collection[int], Collection[int]], Awaitable[None]]
"""Told, before every recovery, which partitions are kept and which are new: when it returns nobody else writes them."""


async def _nobody_to_fence(held: Collection[int], new: Collection[int]) -> None:
    """Where writers of earlier owners are not to be feared."""


class PartitionLost(Exception):
    """The partition was given away or read back since the work began: its result must not be used."""


@dataclass(frozen=True, slots=True)
class Work:
    """One step on one partition, from `begin` to `write`."""

    partition: int
    tenure: int


class HeldPartitions:
    """Rows in memory and their stores, for as long as the worker holds their partitions.

    Not thread-safe: it belongs to the event loop of the worker.
    """

    def __init__(self, rows: Rows, recover: Recover) -> None:
        self._rows = rows
        self._recover = recover
        self.take_over: TakeOver = _nobody_to_fence
        """Set by whoever writes for the partitions."""
        self._stores: dict[int, PartitionStore] = {}
        self._tenures: Counter[int] = Counter()
        self._unfinished: Counter[int] = Counter()
        self._generation: int | None = None

    @property
    def stores(self) -> Mapping[int, PartitionStore]:
        """The open stores by partition: what is held now."""
        return MappingProxyType(self._stores)

    async def keep(self, partitions: Collection[int], generation: int) -> list[int]:
        """Hold none but these partitions; no work may go on meanwhile.

        Partitions held before stay as they are, unless work on them has begun and was not written. If a generation of
        the group was missed, as by a worker that slept, others may have had them since: then none stays.

        Args:
            partitions: of the worker.
            generation: of the group, in which they were assigned.

        Returns:
            Those that are not held yet, or not any more: for `recover`.
        """
        stale = {partition for partition, count in self._unfinished.items() if count}
        if self._generation not in (generation - 1, generation):
            stale = set(self._stores)
        self._generation = generation
        for partition in set(self._stores) - (set(partitions) - stale):
            self._give_up(partition)
        await self.take_over(set(self._stores), ())
        return sorted(set(partitions) - set(self._stores))

    async def recover(self, missing: Collection[int]) -> RecoveryReport:
        """Hold these partitions as well, once they are read back. Work on those that are held may go on meanwhile.

        Raises:
            What reading them back raises. Then they are not held.
        """
        await self.take_over(set(self._stores), missing)
        stores, report = await self._recover(missing)
        self._stores.update(stores)
        return report

    def begin(self, partition: int) -> Work:
        """Say that a step is about to change rows of the partition.

        Raises:
            PartitionLost: the partition is not held.
        """
        if partition not in self._stores:
            raise PartitionLost(f"partition {partition} is not held by this worker")
        self._unfinished[partition] += 1
        return Work(partition, self._tenures[partition])

    def holds(self, work: Work) -> bool:
        """Whether the partition is still held, and was not read back since the work began."""
        return work.partition in self._stores and work.tenure == self._tenures[work.partition]

    def write(
        self, work: Work, keys: Sequence[bytes], values: Sequence[bytes | None], changelog_offset: int | None
    ) -> None:
        """End a step: put its rows into the store. Only after its changelog records are durable, and in order.

        Args:
            work: from `begin`.
            keys: of the changed rows.
            values: of the changed rows; None deletes.
            changelog_offset: the next one to read after the step's records; None where it has none or where the
                broker did not say: the offset stays, and a restart reads these records again.

        Raises:
            PartitionLost: see `Work`; nothing is written.
        """
        partition = work.partition
        if not self.holds(work):
            raise PartitionLost(f"partition {partition} was given away while a step on it was being written")
        store = self._stores[partition]
        if keys or changelog_offset is not None:
            offset = changelog_offset if changelog_offset is not None else store.offset
            store.write(keys, values, offset or 0)
        self._unfinished[partition] -= 1

    async def close(self) -> None:
        """Hold nothing any more. The rows stay, until their partition is assigned again."""
        await self.take_over((), ())
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def _give_up(self, partition: int) -> None:
        self._tenures[partition] += 1
        self._unfinished.pop(partition, None)
        self._stores.pop(partition).close()
        self._rows.drop(partition)
