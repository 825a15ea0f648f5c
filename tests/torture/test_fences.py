"""Writers as a log on disk names them."""

from pathlib import Path

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from app.torture.fences import fence_faults

TRANSACTIONAL, PLAIN = True, False


def log(folder: Path, *writers: tuple[int, int], is_transactional: bool = TRANSACTIONAL) -> Path:
    segment = folder / "out-0" / "0.log"
    segment.parent.mkdir()
    for offset, (producer, epoch) in enumerate(writers):
        builder = DefaultRecordBatchBuilder(2, 0, is_transactional, producer, epoch, 0, 1_000)
        builder.append(0, 1, b"key", b"value", [])
        batch = bytearray(builder.build())
        batch[:8] = offset.to_bytes(8, "big")
        with segment.open("ab") as file:
            file.write(batch)
    return folder


def test_writers_that_follow_each_other_are_in_order(tmp_path: Path) -> None:
    assert not list(fence_faults(log(tmp_path, (7, 0), (7, 0), (7, 1), (9, 0)), "out", 0))


def test_who_was_fenced_and_writes_again_is_found(tmp_path: Path) -> None:
    assert len(list(fence_faults(log(tmp_path, (7, 0), (7, 1), (7, 0), (7, 1)), "out", 0))) == 2


def test_a_producer_that_comes_back_after_another_is_found(tmp_path: Path) -> None:
    (found,) = fence_faults(log(tmp_path, (7, 0), (9, 0), (7, 0)), "out", 0)
    assert "out[0] offset 2" in found


def test_records_outside_of_transactions_do_not_count(tmp_path: Path) -> None:
    assert not list(fence_faults(log(tmp_path, (7, 1), (7, 0), is_transactional=PLAIN), "out", 0))
