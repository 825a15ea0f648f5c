"""The simplest rows: a dictionary for each partition."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowFormat:
    """Rows of one version and one length.

    Attributes:
        version: the first byte, 0–255.
        size: of the whole value in bytes, the version byte included.
    """

    version: int
    size: int

    def unreadable(self, values: Sequence[bytes | None]) -> list[int]:
        """The positions of the values that are not rows of this format; a tombstone (None) is fine."""
        version, size = self.version, self.size
        return [
            position
            for position, value in enumerate(values)
            if value is not None and (len(value) != size or value[0] != version)
        ]


class DictRows:
    """Rows as they come; those of a format where one is given."""

    def __init__(self, row_format: RowFormat | None = None) -> None:
        self._format = row_format
        self._partitions: dict[int, dict[bytes, bytes]] = {}

    def of(self, partition: int) -> dict[bytes, bytes]:
        """The rows of one partition."""
        return self._partitions.get(partition, {})

    def load(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        assert len(set(keys)) == len(keys) == len(values)
        rows = self._partitions.setdefault(partition, {})
        for key, value in zip(keys, values, strict=True):
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value

    def drop(self, partition: int) -> None:
        self._partitions.pop(partition, None)

    def unreadable(self, values: Sequence[bytes | None]) -> Sequence[int]:
        return self._format.unreadable(values) if self._format else []
