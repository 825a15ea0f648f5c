"""What one step processes: the aligned records of any number of partitions, each topic's as columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.events.align import Aligned, Slice
from app.events.decode import Decoded, Rejected
from app.velocity.joined import Joined, put_together
from schemas.events import InputEvent
from schemas.outputs import FailureType


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Records [n] of one input topic.

    ``position`` is each record's place in the order of processing, over all topics and partitions of the step.
    """

    events: list[InputEvent]
    users: list[str]
    ts: NDArray[np.int64]
    codes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    partition: NDArray[np.int32]
    position: NDArray[np.int64]
    traces: list[bytes | None] | None
    slices: list[Slice]

    def __len__(self) -> int:
        return len(self.users)

    def reject(self, index: int, failure: FailureType, stage: str, error: str, message: str) -> Rejected:
        """Record ``index`` as a rejected one, with its original bytes."""
        for piece in self.slices:
            length = piece.stop - piece.start
            if index < length:
                return piece.decoded.reject(piece.start + index, failure, stage, error, message)
            index -= length
        raise IndexError(index)


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The input of one step: columns by topic, and the partitions in order with their number of records.

    ``joined`` is what the orders were told, in the order of their columns; None where nothing is asked.
    """

    topics: dict[str, Columns]
    partitions: list[tuple[int, int]]
    joined: Joined | None = None

    def __len__(self) -> int:
        return sum(count for _, count in self.partitions)

    def users(self, start: int, stop: int) -> list[str]:
        """The visitors at positions ``start`` to ``stop``."""
        found = [""] * (stop - start)
        for columns in self.topics.values():
            inside = np.flatnonzero((columns.position >= start) & (columns.position < stop))
            for index in inside.tolist():
                found[int(columns.position[index]) - start] = columns.users[index]
        return found


def gather(aligned: Sequence[Aligned], topics: Sequence[str]) -> Records:
    """Put what was aligned partition by partition into one step's columns."""
    parts: dict[str, list[tuple[int, int, Slice]]] = {topic: [] for topic in topics}
    partitions = []
    base = 0
    for piece in aligned:
        for part in piece.slices:
            parts[part.decoded.topic].append((piece.partition, base, part))
        if piece.records:
            partitions.append((piece.partition, piece.records))
        base += piece.records
    joined = put_together([piece.joined for piece in aligned if piece.joined is not None])
    return Records({topic: _columns(found) for topic, found in parts.items()}, partitions, joined)


def _columns(parts: list[tuple[int, int, Slice]]) -> Columns:
    pieces = [(part.decoded, part.start, part.stop) for _, _, part in parts]
    counts = [stop - start for _, start, stop in pieces]
    return Columns(
        events=[event for decoded, start, stop in pieces for event in decoded.events[start:stop]],
        users=[user for decoded, start, stop in pieces for user in decoded.users[start:stop]],
        ts=_joined([decoded.ts[start:stop] for decoded, start, stop in pieces]),
        codes=_joined([decoded.codes[start:stop] for decoded, start, stop in pieces]),
        offsets=_joined([decoded.offsets[start:stop] for decoded, start, stop in pieces]),
        partition=np.repeat(np.array([partition for partition, _, _ in parts], np.int32), counts),
        position=_joined([part.rank + base for _, base, part in parts]),
        traces=_all_traces(pieces),
        slices=[part for _, _, part in parts],
    )


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _all_traces(pieces: list[tuple[Decoded, int, int]]) -> list[bytes | None] | None:
    if all(decoded.traces is None for decoded, _, _ in pieces):
        return None
    found: list[bytes | None] = []
    for decoded, start, stop in pieces:
        found += decoded.traces[start:stop] if decoded.traces else [None] * (stop - start)
    return found
