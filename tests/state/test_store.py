"""The local store: whole batches, an offset that tells the truth, damage that is never silent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rocksdict import Options, Rdict, WriteBatch

from app.state.store import MIB, PartitionStore, StoreError, StoreLocked, Stores, StoreUnusable
from tests.schemas.strategies import unhurried
from tests.state.writing import KEYS, ROWS, rows_after, step

Batches = list[dict[bytes, bytes | None]]


def stores_in(directory: Path) -> Stores:
    return Stores(directory, now_ms=lambda: 1_700_000_000_000)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return stores_in(tmp_path)


@pytest.fixture
def store(stores: Stores) -> Iterator[PartitionStore]:
    store = stores.open(0)
    yield store
    store.close()


def contents(store: PartitionStore, batch_rows: int = 16_384) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for keys, values in store.scan(batch_rows):
        found.update(zip(keys, values, strict=True))
    return found


def only_sst(stores: Stores, partition: int) -> Path:
    (path,) = stores.path(partition).glob("*.sst")
    return path


def test_a_new_store_has_no_offset_and_no_rows(store: PartitionStore) -> None:
    assert (store.offset, store.written_at_ms, contents(store)) == (None, None, {})


def test_rows_deletions_and_offset_are_found_again_after_reopening(stores: Stores) -> None:
    store = stores.open(3)
    store.write([b"a", b"b", b"c"], [b"1", b"2", b"3"], 7)
    store.write([b"b", b"c", b"c"], [None, None, b"4"], 11)
    store.close()
    store = stores.open(3)
    assert (store.offset, store.written_at_ms) == (11, 1_700_000_000_000)
    assert contents(store) == {b"a": b"1", b"c": b"4"}
    assert (store.get(b"a"), store.get(b"b"), store.get(b"")) == (b"1", None, None)
    store.close()


@unhurried
@given(
    batches=st.lists(st.dictionaries(st.binary(min_size=1, max_size=2), st.none() | st.binary(max_size=3))),
    batch_rows=st.integers(1, 5),
)
def test_a_store_is_a_dictionary_whatever_the_batches(
    tmp_path_factory: pytest.TempPathFactory, batches: Batches, batch_rows: int
) -> None:
    store = stores_in(tmp_path_factory.mktemp("store")).open(0)
    expected: dict[bytes, bytes | None] = {}
    for offset, batch in enumerate(batches):
        store.write(list(batch), list(batch.values()), offset)
        expected.update(batch)
    live = {key: value for key, value in expected.items() if value is not None}
    assert contents(store, batch_rows) == live
    store.close()


def test_one_million_increments_of_one_key_survive_three_restarts(stores: Stores) -> None:
    value, per_batch = 0, 500
    for _ in range(4):
        store = stores.open(0)
        assert int(contents(store).get(b"k", b"0")) == value
        for _ in range(500):
            values = [b"%d" % n for n in range(value + 1, value + per_batch + 1)]
            value += per_batch
            store.write([b"k"] * per_batch, values, value)
        store.close()
    store = stores.open(0)
    assert (contents(store), store.offset) == ({b"k": b"1000000"}, 1_000_000)
    store.close()


def test_a_closed_store_opens_again_at_once_even_after_half_a_scan(stores: Stores) -> None:
    store = stores.open(0)
    store.write([b"a", b"b", b"c"], [b"1", b"2", b"3"], 1)
    for _ in range(20):
        scan = store.scan(batch_rows=1)
        next(scan)
        store.close()
        store.close()
        store = stores.open(0)
    store.close()


def test_an_open_directory_is_refused_and_not_harmed(stores: Stores) -> None:
    store = stores.open(0)
    store.write([b"a"], [b"1"], 1)
    with pytest.raises(StoreLocked, match="instance name"):
        stores.open(0)
    store.close()
    store = stores.open(0)
    assert contents(store) == {b"a": b"1"}
    store.close()


def test_reading_beside_a_worker_shows_what_was_flushed(stores: Stores) -> None:
    store = stores.open(0)
    store.write([b"a"], [b"1"], 1)
    store.flush()
    reader = stores.open_read_only(0)
    assert (reader.get(b"a"), reader.offset) == (b"1", 1)
    reader.close()
    store.close()


def test_reading_a_partition_that_is_not_there_says_so_and_makes_nothing(stores: Stores) -> None:
    with pytest.raises(StoreError, match="no local store"):
        stores.open_read_only(9)
    assert not stores.path(9).exists()


def test_an_offset_never_goes_back(store: PartitionStore) -> None:
    store.write([b"a"], [b"1"], 5)
    with pytest.raises(ValueError, match="from 5 to 4"):
        store.write([b"a"], [b"2"], 4)
    assert contents(store) == {b"a": b"1"}


def test_the_empty_key_is_refused_with_its_whole_batch(store: PartitionStore) -> None:
    with pytest.raises(ValueError, match="empty key"):
        store.write([b"a", b""], [b"1", b"2"], 5)
    assert (contents(store), store.offset) == ({}, None)


@pytest.mark.parametrize("mark", [b"\x63\x00" + bytes(16), b"\x01\x00", b"\x01"])
def test_another_layout_version_is_named(stores: Stores, mark: bytes) -> None:
    store = stores.open(0)
    store.write([b"a"], [b"1"], 5)
    store.close()
    write_raw(stores.path(0), {b"": mark})
    with pytest.raises(StoreUnusable, match="layout version"):
        stores.open(0)
    stores.wipe(0)
    store = stores.open(0)
    assert (store.offset, contents(store)) == (None, {})
    store.close()


def test_rows_without_a_layout_version_are_not_trusted(stores: Stores) -> None:
    write_raw(stores.path(0), {b"a": b"1"})
    with pytest.raises(StoreUnusable, match="without a layout version"):
        stores.open(0)
    stores.wipe(0)
    stores.open(0).close()


def test_a_damaged_block_is_reported_and_not_the_end_of_the_scan(stores: Stores) -> None:
    store = stores.open(0)
    store.write([b"%06d" % n for n in range(5_000)], [os.urandom(400) for _ in range(5_000)], 1)
    store.close()
    sst = only_sst(stores, 0)
    damaged = bytearray(sst.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    sst.write_bytes(damaged)
    store = stores.open(0)
    with pytest.raises(StoreUnusable, match="damaged"):
        contents(store)
    try:
        contents(store)
    except StoreUnusable:  # its traceback must not keep the directory locked
        store.close()
        stores.wipe(0)
        stores.open(0).close()


@pytest.mark.parametrize("what", ["truncated", "missing", "no manifest"])
def test_a_damaged_directory_is_unusable_and_not_an_empty_store(stores: Stores, what: str) -> None:
    store = stores.open(0)
    store.write([b"a"], [os.urandom(4_000)], 1)
    store.close()
    sst = only_sst(stores, 0)
    if what == "truncated":
        sst.write_bytes(sst.read_bytes()[:1_000])
    elif what == "missing":
        sst.unlink()
    else:
        (stores.path(0) / "CURRENT").write_text("garbage")
    with pytest.raises(StoreUnusable):
        stores.open(0)


def test_a_directory_that_cannot_be_used_is_an_error_and_is_never_called_damaged(tmp_path: Path) -> None:
    stores = stores_in(tmp_path)
    store = stores.open(0)
    store.close()
    (tmp_path / "0" / "LOCK").unlink()
    (tmp_path / "0" / "LOCK").mkdir()
    with pytest.raises(StoreError) as caught:
        stores.open(0)
    assert not isinstance(caught.value, StoreUnusable)


def test_kill_9_leaves_rows_and_offset_that_agree_exactly(stores: Stores, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.state.writing", str(tmp_path)]
    flushed = 0
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                if int(line) >= flushed + 150:
                    writer.send_signal(signal.SIGKILL)
                    break
        store = stores.open(0)
        found, offset = contents(store), store.offset
        store.close()
        assert offset is not None
        assert offset > flushed
        assert found == rows_after(offset)
        flushed = offset


def test_the_writer_of_the_kill_test_writes_what_the_test_expects(stores: Stores) -> None:
    store = stores.open(0)
    for number in range(1, 40):
        store.write(*step(number), number)
        assert contents(store) == rows_after(number)
    store.close()
    assert ROWS < KEYS


def test_memory_of_unflushed_rows_is_bounded_over_all_partitions(tmp_path: Path) -> None:
    stores = Stores(tmp_path, lambda: 0, buffer_bytes=4 * MIB, partition_buffer_bytes=64 * MIB)
    opened = [stores.open(partition) for partition in range(8)]
    for number in range(20):
        for store in opened:
            store.write([b"%d-%d" % (number, n) for n in range(100)], [bytes(1_000)] * 100, number)
    assert list(tmp_path.glob("*/*.sst")), "flushed, though no partition has reached its own limit"
    for store in opened:
        store.close()


def write_raw(path: Path, rows: dict[bytes, bytes]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_allow_concurrent_memtable_write(False)
    db = Rdict(str(path), options)
    batch = WriteBatch(raw_mode=True)
    for key, value in rows.items():
        batch.put(key, value)
    db.write(batch)
    db.close()
