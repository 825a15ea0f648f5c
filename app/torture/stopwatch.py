"""How long a worker takes from being assigned a partition to the first commit of it: our own part of a recovery.

What lies before is the broker's: the session that must end, and the group that comes together. The stopwatch is in the
victim's process and tells a file, a line for each partition that was taken over.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from aiokafka.consumer.group_coordinator import GroupCoordinator

from app.state.held import HeldPartitions, Work

Tell = Callable[[int, float], None]
"""Told a partition and the seconds."""


class Takeover(NamedTuple):
    """A partition, the seconds its takeover took, and the wall clock's time at its end (s since the epoch)."""

    partition: int
    seconds: float
    at: float


@contextmanager
def stopwatch(tell: Tell, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Time every takeover, inside the block."""
    answered: list[float] = []  # when the group's latest assignment came
    assigned: dict[int, float] = {}
    complete, keep, write = GroupCoordinator._on_join_complete, HeldPartitions.keep, HeldPartitions.write

    async def completing(coordinator: GroupCoordinator, *assignment: Any) -> None:  # noqa: ANN401 - aiokafka's own
        answered[:] = [clock()]
        await complete(coordinator, *assignment)

    async def keeping(held: HeldPartitions, partitions: Collection[int], generation: int) -> list[int]:
        started = answered.pop() if answered else clock()
        missing = await keep(held, partitions, generation)
        since = {partition: assigned.get(partition, started) for partition in missing}
        assigned.clear()
        assigned.update(since)
        return missing

    def writing(held: HeldPartitions, work: Work, *rows: Any) -> None:  # noqa: ANN401 - as the method has them
        write(held, work, *rows)
        if (started := assigned.pop(work.partition, None)) is not None:
            tell(work.partition, clock() - started)

    with (
        patch.object(GroupCoordinator, "_on_join_complete", completing),
        patch.object(HeldPartitions, "keep", keeping),
        patch.object(HeldPartitions, "write", writing),
    ):
        yield


def to_file(path: Path) -> Tell:
    """Tells a file; what a killed process told stays."""

    def tell(partition: int, seconds: float) -> None:
        with path.open("a") as file:
            file.write(f"{partition} {seconds:.4f} {time.time():.3f}\n")

    return tell


def told(path: Path) -> list[Takeover]:
    """What a file was told."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Takeover(int(number), float(seconds), float(at)) for number, seconds, at in map(str.split, lines)]


def takeovers(paths: Sequence[Path]) -> dict[str, Any]:
    """How many there were in all files, and percentiles of their seconds."""
    seconds = [one.seconds for path in paths for one in told(path)]
    if not seconds:
        return {"count": 0}
    names = {"p50": 50, "p95": 95, "p100": 100}
    return {"count": len(seconds)} | {name: round(float(np.percentile(seconds, at)), 2) for name, at in names.items()}
