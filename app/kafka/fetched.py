"""What one fetch returned for one partition, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Partition: TypeAlias = tuple[str, int]
"""(topic, partition): the named tuples of Faust (TP) and aiokafka (TopicPartition) are equal to it."""

Headers: TypeAlias = list[tuple[str, bytes | None]]
"""The headers of one record, in the order they were written. Records may share one list."""


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """The records that one fetch returned for one partition: one Faust event (`event.value`).

    The columns have one entry for each record, in offset order. A fetch that met only control markers or
    aborted records has empty columns and still moves the position: it must be marked durable like any
    other, or the commit never reaches the end of a transactional topic.

    Attributes:
        first_offset: the position the fetch began at, at or below `offsets[0]`.
        next_offset: the position after it: compacted holes and control markers count as read.
        end_offset: the first offset that could not be read yet when the broker answered (its high watermark;
            its last stable offset under `read_committed`).
        generation: the consumer group's generation that fetched it.
        size: bytes of all keys and values.
        offsets: a `range` where there are no holes.
        timestamps: of the records, in milliseconds since the epoch.
        headers: None where no record has any.
    """

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    end_offset: int
    generation: int
    size: int
    offsets: Sequence[int]
    timestamps: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers] | None

    @property
    def tp(self) -> Partition:
        """The partition it came from."""
        return (self.topic, self.partition)

    def __len__(self) -> int:
        return len(self.values)
