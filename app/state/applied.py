"""Which input a partition's rows include already: what keeps a record that is read again from counting twice.

Every stored row carries the offsets that it includes, and a row of the partition's own carries those that all of them
do. After a crash at least once, the changelog may hold rows of a step whose own row never came: then the records of
just those users are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.kafka.fetched import Fetched
from schemas.topics import INPUTS

TOPIC_INDEX = {topic.name: index for index, topic in enumerate(INPUTS)}


class InputTruncated(Exception):
    """An input partition ends before what the state includes: it was deleted and made again, or lost its end."""

    def __init__(self, fetched: Fetched, applied: int) -> None:
        super().__init__(
            f"{fetched.topic}[{fetched.partition}] ends at offset {fetched.end_offset}, but the state includes its "
            f"records below {applied}: the topic was deleted and made again, or lost records. Its records would be "
            "taken for old ones. Run with another --group, or delete the group's changelog topic to start from "
            "no state"
        )


def _none() -> NDArray[np.int64]:
    return np.zeros(len(INPUTS), np.int64)


@dataclass(eq=False)
class Applied:
    """Next offsets [topics] of one partition.

    ``offsets``: every row includes all records below them. ``most``: the highest that any recovered row includes.
    """

    offsets: NDArray[np.int64] = field(default_factory=_none)
    most: NDArray[np.int64] = field(default_factory=_none)

    def advance(self, next_offsets: Mapping[str, int]) -> None:
        """Go on to the offsets of a step. Those of input that is read again are lower, and change nothing."""
        for topic, offset in next_offsets.items():
            index = TOPIC_INDEX[topic]
            self.offsets[index] = max(int(self.offsets[index]), offset)

    def by_topic(self) -> dict[str, int]:
        """``offsets`` under the names of their topics."""
        return dict(zip(TOPIC_INDEX, self.offsets.tolist(), strict=True))

    def recovered(self, rows: NDArray[np.int64]) -> None:
        """Take note of what recovered rows ([n, topics]) include."""
        if len(rows):
            np.maximum(self.most, rows.max(axis=0), out=self.most)

    @property
    def is_behind(self) -> bool:
        """Whether rows may include records that not all of them include."""
        return bool((self.offsets < self.most).any())

    def unread(self, fetched: Fetched) -> Fetched:
        """What ``fetched`` has that is not in every row.

        Raises:
            InputTruncated: the topic ends before that.
        """
        applied = int(self.offsets[TOPIC_INDEX[fetched.topic]])
        if fetched.first_offset >= applied:
            return fetched
        if fetched.end_offset < applied:
            raise InputTruncated(fetched, applied)
        return _from(fetched, applied)


def _from(fetched: Fetched, offset: int) -> Fetched:
    """The records of ``fetched`` from ``offset`` on. It begins where it began, so that its end is committed."""
    first = int(np.searchsorted(np.asarray(fetched.offsets, np.int64), offset))
    keys, values = fetched.keys[first:], fetched.values[first:]
    return replace(
        fetched,
        size=sum(len(value) for column in (keys, values) for value in column if value is not None),
        offsets=fetched.offsets[first:],
        timestamps=fetched.timestamps[first:],
        keys=keys,
        values=values,
        headers=None if fetched.headers is None else fetched.headers[first:],
    )
