"""Record batches made from columns: limits, order, tombstones, headers (pain 4)."""

from itertools import chain

import pytest
from aiokafka.record.default_records import DefaultRecord
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.fetched import Headers
from app.kafka.options import TransportOptions
from app.kafka.producer import RecordTooLarge, Send, build_batches
from app.kafka.record_batch import ColumnBatch, decode_headers, encode_headers, varint

OPTIONS = TransportOptions(producer_batch_bytes=2_000, max_record_bytes=5_000)
HEADERS: Headers = [("ce_type", b"intent"), ("traceparent", None)]


def records(batch: ColumnBatch) -> list[DefaultRecord]:
    return list(MemoryRecords(bytes(batch._build())).next_batch())


rows = st.lists(
    st.tuples(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=900)),
    min_size=1,
    max_size=30,
)


@given(rows)
def test_records_come_back_in_order_in_batches_within_the_limit(
    written: list[tuple[bytes | None, bytes | None]],
) -> None:
    keys, values = (list(column) for column in zip(*written, strict=True))
    batches = build_batches(OPTIONS, Send("out", 0, 5, keys, values))
    assert all(batch.size() <= OPTIONS.producer_batch_bytes for batch in batches)
    assert sum(batch.record_count() for batch in batches) == len(written)
    read = list(chain.from_iterable(map(records, batches)))
    assert [(r.timestamp, r.key, r.value) for r in read] == [(5, *record) for record in written]


def test_headers_belong_to_their_records() -> None:
    others: Headers = [("ce_id", b"2")]
    (batch,) = build_batches(
        OPTIONS, Send("out", 0, 1, [None] * 3, [b"v"] * 3, list(map(encode_headers, [HEADERS, others, HEADERS])))
    )
    assert [r.headers for r in records(batch)] == [HEADERS, others, HEADERS]


def test_a_record_over_the_batch_size_goes_alone() -> None:
    batches = build_batches(OPTIONS, Send("out", 0, 1, [None] * 3, [b"a", b"b" * 4_000, b"c"]))
    assert [batch.record_count() for batch in batches] == [1, 1, 1]


def test_a_record_the_broker_would_reject_is_named_before_anything_is_sent() -> None:
    with pytest.raises(
        RecordTooLarge, match=r"intent-events: the record with key b'user-7' has 60\d\d bytes"
    ) as raised:
        build_batches(OPTIONS, Send("intent-events", 0, 1, [b"user-1", b"user-7"], [b"ok", b"x" * 6_000]))
    assert (raised.value.topic, raised.value.key, raised.value.limit) == ("intent-events", b"user-7", 5_000)


def test_headers_count_towards_the_size() -> None:
    big: Headers = [("trace", b"x" * 6_000)]
    with pytest.raises(RecordTooLarge):
        build_batches(OPTIONS, Send("out", 0, 1, [None], [b"v"], [encode_headers(big)]))


def test_no_records_are_no_batches() -> None:
    assert build_batches(OPTIONS, Send("out", 0, 1, [], [])) == []


@given(st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=200)), max_size=5))
def test_encoded_headers_can_be_decoded(headers: Headers) -> None:
    assert decode_headers(encode_headers(headers)) == headers


@given(st.integers(0, (1 << 31) - 1))
def test_a_batch_says_so_when_its_producer_is_idempotent(sequence: int) -> None:
    (batch,) = build_batches(OPTIONS, Send("out", 0, 1, [b"k"], [b"v"]))
    batch._set_producer_state(7, 3, sequence)
    read = MemoryRecords(bytes(batch._build())).next_batch()
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (7, 3, sequence)


def test_lengths_are_zigzag_varints() -> None:
    assert [varint(number) for number in (0, -1, 63, 64, 8_191, 8_192)] == [
        b"\x00", b"\x01", b"\x7e", b"\x80\x01", b"\xfe\x7f", b"\x80\x80\x01",
    ]  # fmt: skip
