"""Unpacking of record batches: the same records as aiokafka gives, in pieces of any size (pains 2, 7)."""

import asyncio
import struct
from collections.abc import Sequence
from itertools import chain

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.columns import ColumnResult
from app.kafka.fetched import Fetched, Headers

TP = TopicPartition("clickstream", 3)
CRC, ATTRIBUTES, LAST_OFFSET_DELTA = 17, 21, 23
TRANSACTIONAL, CONTROL = 0x10, 0x20
NO_LIMIT = 1 << 30


def record_batch(
    base_offset: int,
    values: Sequence[bytes | None],
    *,
    headers: Headers | None = None,
    holes_at_end: int = 0,
    producer_id: int = -1,
    attributes: int = 0,
    compression: int = 0,
    key: bytes | None = b"key",
) -> bytes:
    """A record batch of format v2 (KIP-98) as a broker returns it."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, producer_id, 0, 0, 1 << 20)
    for index, value in enumerate(values):
        builder.append(index, 1_000 + index, key, value, headers or [])
    raw = bytearray(builder.build())
    flags, last = struct.unpack_from(">hi", raw, ATTRIBUTES)
    struct.pack_into(">q", raw, 0, base_offset)
    struct.pack_into(">hi", raw, ATTRIBUTES, flags | attributes, last + holes_at_end)
    struct.pack_into(">I", raw, CRC, calc_crc32c(bytes(raw[ATTRIBUTES:])))
    return bytes(raw)


def marker(base_offset: int, producer_id: int, *, commit: bool) -> bytes:
    """The control record that ends a transaction."""
    key = struct.pack(">hh", 0, int(commit))
    return record_batch(base_offset, [b""], key=key, producer_id=producer_id, attributes=CONTROL | TRANSACTIONAL)


def records_of(raw: bytes, position: int, isolation: int, aborted: list[tuple[int, int]] | None) -> PartitionRecords:
    return PartitionRecords(TP, MemoryRecords(raw), aborted, position, None, None, True, isolation)


def take(
    raw: bytes,
    *,
    position: int = 0,
    isolation: int = READ_COMMITTED,
    aborted: list[tuple[int, int]] | None = None,
    max_records: int = NO_LIMIT,
    max_bytes: int = NO_LIMIT,
) -> list[Fetched]:
    """Everything in `raw`, in pieces."""

    async def pieces() -> list[Fetched]:
        assignment = Assignment([TP])
        assignment.state_value(TP).seek(position)
        records = records_of(raw, position, isolation, aborted)
        plain = FetchResult(TP, assignment=assignment, partition_records=records, backoff=0.1)
        result, taken = ColumnResult(plain, 0.1), []
        while result.has_more():
            if (piece := result.take(max_records, max_bytes, 0, 7)) is not None:
                taken.append(piece)
                assert assignment.state_value(TP).position == piece.next_offset
        return taken

    return asyncio.run(pieces())


def one(pieces: list[Fetched]) -> Fetched:
    assert len(pieces) == 1
    return pieces[0]


def test_a_fetch_is_columns() -> None:
    traced: Headers = [("traceparent", b"00-1")]
    raw = record_batch(10, [b"a", None]) + record_batch(12, [b"ccc"], headers=traced, key=None)
    fetched = one(take(raw, position=10))
    assert (fetched.topic, fetched.partition, fetched.tp) == ("clickstream", 3, ("clickstream", 3))
    assert fetched.offsets == range(10, 13)
    assert fetched.timestamps == [1_000, 1_001, 1_000]
    assert fetched.keys == [b"key", b"key", None]
    assert fetched.values == [b"a", None, b"ccc"]
    assert fetched.headers == [[], [], traced]
    assert (fetched.first_offset, fetched.next_offset, fetched.generation) == (10, 13, 7)
    assert (len(fetched), fetched.size) == (3, 10)


def test_no_headers_cost_no_column() -> None:
    assert one(take(record_batch(0, [b"a", b"b"]))).headers is None


def test_records_below_the_position_are_skipped() -> None:
    fetched = one(take(record_batch(0, [b"a", b"b", b"c"]), position=2))
    assert (fetched.values, fetched.offsets) == ([b"c"], range(2, 3))


def test_holes_left_by_compaction_count_as_read() -> None:
    raw = record_batch(0, [b"a"], holes_at_end=9) + record_batch(50, [b"b"], holes_at_end=3)
    fetched = one(take(raw))
    assert fetched.offsets == [0, 50]
    assert fetched.next_offset == 54


def test_control_markers_move_the_position_without_records() -> None:
    fetched = one(take(marker(5, 9, commit=True), position=5))
    assert (len(fetched), fetched.first_offset, fetched.next_offset) == (0, 5, 6)


def test_aborted_records_are_not_delivered_and_committed_ones_are() -> None:
    raw = (
        record_batch(0, [b"gone"], producer_id=9, attributes=TRANSACTIONAL)
        + record_batch(1, [b"other"], producer_id=8, attributes=TRANSACTIONAL)
        + marker(2, 9, commit=False)
        + record_batch(3, [b"kept"], producer_id=9, attributes=TRANSACTIONAL)
        + marker(4, 9, commit=True)
    )
    assert one(take(raw, aborted=[(9, 0)])).values == [b"other", b"kept"]
    uncommitted = one(take(raw, aborted=[(9, 0)], isolation=READ_UNCOMMITTED))
    assert uncommitted.values == [b"gone", b"other", b"kept"]
    assert uncommitted.next_offset == 5


@pytest.mark.parametrize("compression", [1, 3, 4], ids=["gzip", "lz4", "zstd"])
def test_compressed_batches_are_read_in_pieces(compression: int) -> None:
    raw = record_batch(0, [b"value" * 20] * 100, compression=compression)
    pieces = take(raw, max_records=33)
    assert [len(piece) for piece in pieces] == [33, 33, 33, 1]
    assert pieces[-1].next_offset == 100


def test_a_damaged_batch_is_an_error_and_not_a_record() -> None:
    raw = bytearray(record_batch(0, [b"value"]))
    raw[-2] ^= 1
    with pytest.raises(CorruptRecordException, match="bad checksum at offset 0"):
        take(bytes(raw))


def test_pieces_end_soon_after_their_bytes_are_reached() -> None:
    pieces = take(record_batch(0, [b"x" * 97] * 2_000), max_bytes=60_000)
    assert [len(piece) for piece in pieces] == [1_024, 976]


batches = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 5), st.integers(0, 5), st.booleans()), min_size=1, max_size=6
)


@given(batches, st.integers(1, 60), st.integers(0, 60))
def test_pieces_of_any_size_hold_what_aiokafka_reads(
    plan: list[tuple[int, int, int, bool]], max_records: int, position: int
) -> None:
    raw, offset, ends = b"", 0, []
    for count, hole_before, hole_at_end, is_marker in plan:
        offset += hole_before
        if is_marker:
            raw += marker(offset, 9, commit=True)
            offset += 1
            ends.append(offset)
        elif count:
            raw += record_batch(offset, [b"%d" % n for n in range(count)], holes_at_end=hole_at_end)
            offset += count + hole_at_end
            ends.append(offset)
    position = min(position, ends[0] - 1) if ends else 0  # brokers answer from the batch that holds it
    expected = list(records_of(raw, position, READ_COMMITTED, None)) if raw else []
    pieces = take(raw, position=position, max_records=max_records) if raw else []
    assert list(chain.from_iterable(piece.offsets for piece in pieces)) == [r.offset for r in expected]
    assert list(chain.from_iterable(piece.values for piece in pieces)) == [r.value for r in expected]
    assert all(len(piece) <= max_records for piece in pieces)
    assert [piece.first_offset for piece in pieces[1:]] == [piece.next_offset for piece in pieces[:-1]]
