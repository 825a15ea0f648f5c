"""A takeover lasts from the assignment of a partition to the first write of its rows."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace

from app.state.held import HeldPartitions
from app.state.recovery import RecoveryReport
from app.state.store import PartitionStore, Stores
from app.torture.stopwatch import stopwatch, takeovers, to_file


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def held(folder: Path) -> HeldPartitions:
    stores = Stores(folder, lambda: 0)

    async def recover(partitions: Collection[int]) -> tuple[dict[int, PartitionStore], RecoveryReport]:
        return {number: stores.open(number) for number in partitions}, RecoveryReport((), 0.0)

    rows = SimpleNamespace(drop=lambda partition: None)
    return HeldPartitions(rows, recover)


def write(partitions: HeldPartitions, number: int, offset: int) -> None:
    partitions.write(partitions.begin(number), [b"key"], [b"value"], offset)


async def take_over(partitions: HeldPartitions, clock: Clock, generation: int, *numbers: int) -> None:
    missing = await partitions.keep(numbers, generation)
    clock.now += 0.5
    await partitions.recover(missing)


def test_each_partition_that_is_new_is_timed_to_its_first_write(tmp_path: Path) -> None:
    clock, told = Clock(), list[tuple[int, float]]()

    async def run() -> None:
        partitions = held(tmp_path)
        with stopwatch(lambda *one: told.append(one), clock):
            await take_over(partitions, clock, 1, 0, 1)
            write(partitions, 0, 1)
            clock.now += 1
            write(partitions, 0, 2)
            write(partitions, 1, 1)
            await take_over(partitions, clock, 2, 0, 1, 2)
            write(partitions, 1, 2)
            write(partitions, 2, 1)
        await partitions.close()

    asyncio.run(run())
    assert told == [(0, 0.5), (1, 1.5), (2, 0.5)]


def test_an_assignment_again_before_the_first_write_goes_on_counting(tmp_path: Path) -> None:
    clock, told = Clock(), list[tuple[int, float]]()

    async def run() -> None:
        partitions = held(tmp_path)
        with stopwatch(lambda *one: told.append(one), clock):
            await partitions.keep([0], 1)
            clock.now += 3
            await take_over(partitions, clock, 2, 0)
            write(partitions, 0, 1)
        await partitions.close()

    asyncio.run(run())
    assert told == [(0, 3.5)]


def test_what_was_told_by_all_workers_is_summed_up(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for seconds in (0.5, 1.5):
        to_file(first)(0, seconds)
    to_file(second)(1, 1.0)
    found = takeovers([first, second, tmp_path / "none"])
    assert (found["count"], found["p50"], found["p100"]) == (3, 1.0, 1.5)
    assert takeovers([tmp_path / "none"]) == {"count": 0}
