"""Recorded events: what every source of a replay yields."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class RecordedBatch:
    """Some events as columns of equal length.

    `topics`: the topic of each event. `keys`: `user_id`, else `anonymous_id`, UTF-8; empty where the event
    names nobody. `timestamps`: event time in ms since the epoch. `values`: the payload as the topic carries
    it, normally UTF-8 JSON.
    """

    topics: list[str]
    keys: list[bytes]
    timestamps: list[int]
    values: list[bytes]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Sequence[int]) -> "RecordedBatch":
        """The events at these positions, in this order."""
        return RecordedBatch(
            topics=[self.topics[row] for row in rows],
            keys=[self.keys[row] for row in rows],
            timestamps=[self.timestamps[row] for row in rows],
            values=[self.values[row] for row in rows],
        )


def joined(parts: Sequence[RecordedBatch]) -> RecordedBatch:
    """The events of all parts, one part after the other."""
    return RecordedBatch(
        topics=[topic for part in parts for topic in part.topics],
        keys=[key for part in parts for key in part.keys],
        timestamps=[time for part in parts for time in part.timestamps],
        values=[value for part in parts for value in part.values],
    )


class Recording(Protocol):
    """Batches in event-time order; events of the same millisecond keep the order of their files.

    `rows` is the number of events where it is known before reading, else None.
    """

    rows: int | None

    def __iter__(self) -> Iterator[RecordedBatch]: ...


class Source(Protocol):
    """Events of one file, or of several of the same shape, that can be taken in any order.

    `times`: int64, ms since the epoch, one per event in file order.
    """

    times: npt.NDArray[np.int64]

    def take(self, events: npt.NDArray[np.int64]) -> RecordedBatch:
        """The events at these positions, in this order."""
        ...
