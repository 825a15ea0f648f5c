"""A worker's state as stored rows: the users' rows of each partition, and one row of the partition's own.

That one holds its event time, the input offsets that all of the users' rows include, and what decisions remember of
the partition's orders and sessions. Event time is state like any other: after a restart the same records must be late,
and the same sessions over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from app.events.stream_time import StreamTime
from app.state.applied import Applied
from app.state.columns import Change, check_value
from app.state.flow import Flow
from app.state.state import State

PARTITION_KEY = b"\xff\x00partition"
"""Not UTF-8, so no user's key."""

_MARK = b"{"  # a user's row begins with its layout version


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """What is stored of a partition: its event time, by input topic the next offset that no row includes, and what
    decisions remember of its orders and of its sessions."""

    time: StreamTime
    applied: dict[str, int]
    flow: Flow | None = None
    session_flow: Flow | None = None


_DECODER = msgspec.json.Decoder(PartitionRow)


def partition_changes(state: State, partitions: Sequence[int]) -> list[Change]:
    """The rows of ``partitions`` themselves, to be stored after those of their users."""
    encode = msgspec.json.encode
    rows = {
        number: PartitionRow(
            state.times.get(number, StreamTime()),
            state.applied[number].by_topic(),
            state.flows.get(number),
            state.session_flows.get(number),
        )
        for number in partitions
    }
    return [Change(number, [PARTITION_KEY], [encode(row)]) for number, row in rows.items()]


class PartitionRows:
    """What recovery fills: see ``app.state.restoring.Rows``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def load(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take over stored rows; None deletes."""
        users = [index for index, key in enumerate(keys) if key != PARTITION_KEY]
        if len(users) < len(keys):
            self._load_partition(partition, keys, values)
            keys, values = [keys[index] for index in users], [values[index] for index in users]
        slots = self._state.table.load(partition, keys, values)
        self._state.applied.setdefault(partition, Applied()).recovered(self._state.table.rows["applied"][slots])

    def drop(self, partition: int) -> None:
        """Forget everything of ``partition``."""
        self._state.drop(partition)

    def unreadable(self, values: Sequence[bytes | None]) -> Sequence[int]:
        """Which values do not have this version's layout."""
        return [index for index, value in enumerate(values) if value is not None and not _readable(value)]

    def _load_partition(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        latest = [value for key, value in zip(keys, values, strict=True) if key == PARTITION_KEY][-1]
        if latest is not None:
            row = _DECODER.decode(latest)
            if row.time.watermark:
                self._state.times[partition] = row.time
            if row.flow is not None:
                self._state.flows[partition] = row.flow
            if row.session_flow is not None:
                self._state.session_flows[partition] = row.session_flow
            self._state.applied.setdefault(partition, Applied()).advance(row.applied)


def _readable(value: bytes) -> bool:
    if not value.startswith(_MARK):
        return check_value(value)
    try:
        _DECODER.decode(value)
    except msgspec.DecodeError:
        return False
    return True
