"""From fetched record batches to columns, without an object for each record."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch

from app.kafka.fetched import Fetched, Headers

_NONE: Headers = []
_CHUNK = 512
"""Records read between two looks at the byte limit."""


class ColumnResult(FetchResult):  # type: ignore[misc]
    """One partition's part of a fetch response, read a limited piece at a time."""

    def __init__(self, result: FetchResult, backoff: float) -> None:
        self._partition_records: Any
        super().__init__(
            result._topic_partition,
            assignment=result._assignment,
            partition_records=result._partition_records,
            backoff=backoff,
        )
        self._reader = _Reader(result._partition_records)

    def take(self, max_records: int, max_bytes: int, end_offset: int, generation: int) -> Fetched | None:
        """The next records: at most `max_records`, and no more once they reach `max_bytes`.

        Returns:
            None when there is nothing left or the partition was sought elsewhere or taken away meanwhile.

        Raises:
            CorruptRecordException: when a record batch does not match its checksum.
        """
        topic, partition = self._topic_partition
        if not self.has_more() or not self.check_assignment(self._topic_partition):
            return None
        reader = self._reader
        first_offset = reader.position
        columns = _Columns()
        reader.read_into(columns, max_records, max_bytes)
        self._partition_records.next_fetch_offset = reader.position
        self._update_position()
        if reader.exhausted:
            self._partition_records = None
        if reader.position == first_offset:
            return None
        return Fetched(
            topic=topic,
            partition=partition,
            first_offset=first_offset,
            next_offset=reader.position,
            end_offset=max(end_offset, reader.position),
            generation=generation,
            size=columns.size,
            offsets=_compact(columns.offsets),
            timestamps=columns.timestamps,
            keys=columns.keys,
            values=columns.values,
            headers=columns.headers if any(columns.headers) else None,
        )


class _Columns:
    __slots__ = ("headers", "keys", "offsets", "size", "timestamps", "values")

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.timestamps: list[int] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: list[Headers] = []
        self.size = 0

    def append(self, records: Iterable[DefaultRecord], position: int) -> int:
        """Append what lies at or after `position`; the number of records seen."""
        offsets, timestamps, keys = self.offsets, self.timestamps, self.keys
        values, headers = self.values, self.headers
        start, seen = len(values), 0
        for record in records:
            seen += 1
            if record.offset < position:
                continue
            offsets.append(record.offset)
            timestamps.append(record.timestamp)
            keys.append(record.key)
            values.append(record.value)
            headers.append(record.headers or _NONE)
        self.size += sum(map(len, filter(None, islice(values, start, None))))
        self.size += sum(map(len, filter(None, islice(keys, start, None))))
        return seen


class _Reader:
    """Walks record batches as aiokafka's `PartitionRecords` does, and can stop inside one."""

    __slots__ = ("_batch", "_records", "_source", "exhausted", "position")

    def __init__(self, source: PartitionRecords) -> None:
        self._source = source
        self._batch: Any = None
        self._records: Iterator[DefaultRecord] = iter(())
        self.position: int = source.next_fetch_offset
        self.exhausted = False

    def read_into(self, columns: _Columns, max_records: int, max_bytes: int) -> None:
        while columns.size < max_bytes and (room := max_records - len(columns.values)) > 0:
            if self._batch is None and not self._open_next():
                self.exhausted = True
                return
            wanted = min(room, _CHUNK)
            seen = columns.append(islice(self._records, wanted), self.position)
            if seen < wanted:
                # A batch keeps its last offset when compaction removes the records at its end (KIP-98).
                self.position = max(self.position, self._batch.next_offset)
                self._batch = None
            elif columns.offsets:
                self.position = max(self.position, columns.offsets[-1] + 1)

    def _open_next(self) -> bool:
        """Open the next batch with records to deliver, passing over control markers and aborted records."""
        source = self._source
        while source._records.has_next():
            batch = source._records.next_batch()
            if source._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"{source._tp}: bad checksum at offset {batch.base_offset}")
            if not (self._is_aborted(batch) or batch.is_control_batch):
                self._batch = batch
                self._records = chain(batch)  # the batch itself can be iterated only from its beginning
                return True
            self.position = batch.next_offset
        return False

    def _is_aborted(self, batch: DefaultRecordBatch) -> bool:
        source = self._source
        if source._isolation_level != READ_COMMITTED or batch.producer_id is None:
            return False
        source._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and source._contains_abort_marker(batch):
            source._aborted_producers.discard(batch.producer_id)
        return batch.is_transactional and batch.producer_id in source._aborted_producers


def _compact(offsets: list[int]) -> list[int] | range:
    if offsets and offsets[-1] - offsets[0] + 1 == len(offsets):
        return range(offsets[0], offsets[-1] + 1)
    return offsets
