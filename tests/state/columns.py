"""The simplest rows: a dictionary for each partition."""

from collections.abc import Sequence

from app.state.changelog import RowFormat


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
