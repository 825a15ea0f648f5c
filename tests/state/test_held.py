"""Which partitions a worker holds, and that the work of an earlier tenure never counts."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from app.state.held import HeldPartitions, PartitionLost, Work
from app.state.recovery import RecoveryReport
from app.state.store import PartitionStore, Stores
from tests.state.columns import DictRows


class Worker:
    """Held partitions whose recovery loads what the local store has."""

    def __init__(self, folder: Path) -> None:
        self.rows = DictRows()
        self.stores = Stores(folder, lambda: 0)
        self.recovered: list[list[int]] = []
        self.fail = False
        self.generation = 0
        self.held = HeldPartitions(self.rows, self._recover)

    async def _recover(self, partitions: Collection[int]) -> tuple[dict[int, PartitionStore], RecoveryReport]:
        self.recovered.append(list(partitions))
        if self.fail:
            raise RuntimeError("no broker")
        opened = {partition: self.stores.open(partition) for partition in partitions}
        for partition, store in opened.items():
            for keys, values in store.scan():
                self.rows.load(partition, keys, values)
        return opened, RecoveryReport((), 0.0)

    def assign(self, *partitions: int) -> RecoveryReport | None:
        self.generation += 1
        missing = asyncio.run(self.held.keep(partitions, self.generation))
        return asyncio.run(self.held.recover(missing)) if missing else None


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path)
    yield worker
    asyncio.run(worker.held.close())


def change(worker: Worker, partition: int, key: bytes, value: bytes) -> Work:
    """The first half of a step: rows in memory."""
    work = worker.held.begin(partition)
    worker.rows.load(partition, [key], [value])
    return work


def test_only_gained_partitions_are_recovered_and_lost_ones_are_dropped(worker: Worker) -> None:
    assert worker.assign(0, 1) is not None
    worker.held.write(change(worker, 0, b"a", b"1"), [b"a"], [b"1"], 1)
    worker.held.write(change(worker, 1, b"b", b"2"), [b"b"], [b"2"], 1)
    worker.assign(1, 2)
    assert worker.recovered == [[0, 1], [2]]
    assert set(worker.held.stores) == {1, 2}
    assert (worker.rows.of(0), worker.rows.of(1)) == ({}, {b"b": b"2"})
    assert worker.assign(1, 2) is None
    worker.assign(0)
    assert worker.rows.of(0) == {b"a": b"1"}


def test_a_lost_partition_can_be_opened_by_others_at_once(worker: Worker) -> None:
    worker.assign(0)
    worker.assign()
    worker.stores.open(0).close()


def test_unfinished_work_makes_a_kept_partition_be_read_back(worker: Worker) -> None:
    worker.assign(0, 1)
    worker.held.write(change(worker, 0, b"a", b"durable"), [b"a"], [b"durable"], 1)
    late = change(worker, 0, b"a", b"never committed")
    worker.assign(0, 1)
    assert worker.recovered == [[0, 1], [0]]
    assert worker.rows.of(0) == {b"a": b"durable"}
    with pytest.raises(PartitionLost, match="given away"):
        worker.held.write(late, [b"a"], [b"never committed"], 2)
    assert worker.held.stores[0].get(b"a") == b"durable"


def test_the_next_step_may_begin_before_the_last_is_written(worker: Worker) -> None:
    worker.assign(0)
    first, second = change(worker, 0, b"a", b"1"), change(worker, 0, b"a", b"2")
    worker.held.write(first, [b"a"], [b"1"], 1)
    worker.assign(0)
    assert worker.rows.of(0) == {b"a": b"1"}, "the second was not finished"
    with pytest.raises(PartitionLost):
        worker.held.write(second, [b"a"], [b"2"], 2)
    third = change(worker, 0, b"a", b"3")
    worker.held.write(third, [b"a"], [b"3"], 2)
    worker.assign(0)
    assert (worker.rows.of(0), len(worker.recovered)) == ({b"a": b"3"}, 2)


def test_nothing_is_kept_over_a_generation_that_was_slept_through(worker: Worker) -> None:
    worker.assign(0, 1)
    worker.rows.load(0, [b"a"], [b"of long ago"])
    worker.generation += 1  # in which others had the partitions
    worker.assign(0)
    assert worker.recovered == [[0, 1], [0]]
    assert worker.rows.of(0) == {}


def test_partitions_are_kept_when_the_same_generation_is_assigned_again(worker: Worker) -> None:
    worker.assign(0)
    worker.generation -= 1
    worker.assign(0)
    assert worker.recovered == [[0]]


@pytest.mark.parametrize("how", [lambda held: held.begin(5), lambda held: held.write(Work(5, 0), [], [], 1)])
def test_no_work_on_a_partition_that_is_not_held(worker: Worker, how: Callable[[HeldPartitions], object]) -> None:
    worker.assign(0)
    with pytest.raises(PartitionLost):
        how(worker.held)


def test_a_step_without_changelog_records_moves_no_offset(worker: Worker) -> None:
    worker.assign(0)
    worker.held.write(worker.held.begin(0), [b"a"], [b"1"], 7)
    worker.held.write(worker.held.begin(0), [], [], None)
    worker.held.write(worker.held.begin(0), [b"a"], [b"2"], None)
    assert (worker.held.stores[0].offset, worker.held.stores[0].get(b"a")) == (7, b"2")
    worker.assign(0)
    assert worker.recovered == [[0]]


def test_a_failed_recovery_holds_nothing_of_what_it_was_for(worker: Worker) -> None:
    worker.assign(0)
    worker.fail = True
    with pytest.raises(RuntimeError, match="no broker"):
        worker.assign(0, 1)
    assert set(worker.held.stores) == {0}
    worker.fail = False
    worker.assign(0, 1)
    assert set(worker.held.stores) == {0, 1}
