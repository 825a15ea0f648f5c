"""Everything a step reads and changes: the users' rows, and how far each partition has come in event time and input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.drift.watch import DriftWatch
from app.events.align import Aligned
from app.events.decode import Rejected
from app.events.records import Records
from app.events.stream_time import StreamTime
from app.state.applied import Applied
from app.state.columns import Lifetimes, UserTable
from app.state.flow import Flow

_SWEEP_EVERY_MS = 1_000


@dataclass(eq=False)
class State:
    """The state of the partitions a worker owns."""

    table: UserTable
    times: dict[int, StreamTime] = field(default_factory=dict)
    applied: dict[int, Applied] = field(default_factory=dict)
    flows: dict[int, Flow] = field(default_factory=dict)
    session_flows: dict[int, Flow] = field(default_factory=dict)
    drift: DriftWatch = field(default_factory=DriftWatch)
    _swept: dict[int, int] = field(default_factory=dict)

    @classmethod
    def empty(cls, lifetimes: Lifetimes) -> "State":
        """The state before the first record."""
        return cls(UserTable(lifetimes))

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer owned."""
        self.table.drop(partition)
        self.times.pop(partition, None)
        self.applied.pop(partition, None)
        self.flows.pop(partition, None)
        self.session_flows.pop(partition, None)
        self.drift.drop(partition)
        self._swept.pop(partition, None)

    def advance(self, records: Records) -> NDArray[np.int64]:
        """Move event time on by ``records``; tells the earliest time that is not late, by position [n]."""
        ts = np.zeros(len(records), np.int64)
        for columns in records.topics.values():
            ts[columns.position] = columns.ts
        earliest = [np.zeros(0, np.int64)]
        start = 0
        for partition, count in records.partitions:
            time = self.times.setdefault(partition, StreamTime())
            stop = start + count
            users = partial(records.users, start, stop)
            earliest.append(time.advance(ts[start:stop], users) - self.table.lifetimes.grace_ms)
            start = stop
        return np.concatenate(earliest)

    def apply(self, aligned: Sequence[Aligned], rejected: Sequence[Rejected]) -> list[int]:
        """Note the offsets up to which the rows include ``aligned``.

        Returns:
            The partitions whose own row changed: also those with nothing but ``rejected`` records, which are not to
            be dead letters again.
        """
        changed = [piece.partition for piece in aligned if piece.records]
        changed += [record.partition for record in rejected]
        for piece in aligned:
            if piece.partition in changed:
                self.applied.setdefault(piece.partition, Applied()).advance(piece.next_offsets)
        return list(dict.fromkeys(changed))

    def is_reread(self, partitions: Iterable[int]) -> bool:
        """Whether rows of ``partitions`` may include records that come next."""
        return any(self.applied[partition].is_behind for partition in partitions if partition in self.applied)

    def due(self, partitions: Sequence[int]) -> NDArray[np.int64]:
        """Slots of ``partitions`` whose session or history is over.

        It looks when a watermark enters another second, and by that second: so what is over after some records does
        not depend on how often it looked.
        """
        seconds = {partition: self.times[partition].watermark // _SWEEP_EVERY_MS for partition in partitions}
        moved = {partition: second for partition, second in seconds.items() if self._swept.get(partition) != second}
        self._swept |= moved
        if not moved:
            return np.zeros(0, np.int64)
        # Rows may be of partitions that no record has come from yet.
        watermarks = np.zeros(1 + max(int(self.table.partitions.max()), *moved), np.int64)
        for partition, second in moved.items():
            watermarks[partition] = second * _SWEEP_EVERY_MS
        return self.table.due(watermarks)

    def over(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of ``slots`` are due by the second that ``due`` last looked at."""
        seconds = [self._swept[partition] for partition in self.table.partitions[slots].tolist()]
        return self.table.over(slots, np.array(seconds, np.int64) * _SWEEP_EVERY_MS)
