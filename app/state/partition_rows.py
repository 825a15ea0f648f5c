"""A worker's state as stored rows: the users' rows of each partition, and one row for its event time.

Event time is state like any other: after a restart the same records must be late, and the same sessions over.
"""

from collections.abc import Sequence

import msgspec

from app.events.stream_time import StreamTime
from app.state.columns import Change, check_value
from app.state.state import State

TIME_KEY = b"\xff\x00stream-time"
"""Not UTF-8, so no user's key."""

_TIME_MARK = b"{"  # a user's row begins with 0 or 1
_TIME = msgspec.json.Decoder(StreamTime)


def time_changes(state: State, partitions: Sequence[int]) -> list[Change]:
    """The event times of ``partitions`` as rows to store."""
    encode = msgspec.json.encode
    return [Change(partition, [TIME_KEY], [encode(state.times[partition])]) for partition in partitions]


class PartitionRows:
    """What recovery fills: see ``app.state.restoring.Rows``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def load(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take over stored rows; None deletes."""
        users = [index for index, key in enumerate(keys) if key != TIME_KEY]
        if len(users) < len(keys):
            self._load_time(partition, keys, values)
            keys, values = [keys[index] for index in users], [values[index] for index in users]
        self._state.table.load(partition, keys, values)

    def drop(self, partition: int) -> None:
        """Forget everything of ``partition``."""
        self._state.drop(partition)

    def unreadable(self, values: Sequence[bytes | None]) -> Sequence[int]:
        """Which values do not have this version's layout."""
        return [index for index, value in enumerate(values) if value is not None and not _readable(value)]

    def _load_time(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        latest = [value for key, value in zip(keys, values, strict=True) if key == TIME_KEY][-1]
        if latest is not None:
            self._state.times[partition] = _TIME.decode(latest)


def _readable(value: bytes) -> bool:
    if not value.startswith(_TIME_MARK):
        return check_value(value)
    try:
        _TIME.decode(value)
    except msgspec.DecodeError:
        return False
    return True
