"""What a step of the fan-out costs, in process and without a broker.

python -m tests.benchmarks.bench_fanout_step [RULESET]

From what was fetched of orders to what they were told, with the records that are written, in one process that has all
partitions. Prints for each number of orders the CPU of a step in ms (half of all steps cost so much or less), and how
many records it writes. Without a ruleset the velocities are those of `bench_fanout`.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from app.fanout.joiner import Joiners
from app.fanout.parts import FanOutParts, taken_here
from app.fanout.sending import records_of
from app.kafka.fetched import Fetched
from app.replay.fetches import Fetches
from app.replay.recorded import RecordedBatch
from app.rules.compiling import compile_ruleset
from app.rules.reading import read_ruleset
from app.velocity.catalogue import CATALOGUE
from app.velocity.definitions import Velocity
from schemas.topics import ORDERS
from tests.benchmarks.bench_decisions import order
from tests.benchmarks.bench_fanout import PARTITIONS, WATCHED

WARM_UP = ((1_000, 10), (12, 50))
SIZES = ((12, 500), (40, 500), (400, 50), (2_000, 20))
"""Orders of a step, and how many steps."""
STEP_MS = 10


class Shop:
    """Orders, and the fan-out of all partitions."""

    def __init__(self, velocities: Sequence[Velocity]) -> None:
        self.parts = FanOutParts(range(PARTITIONS), PARTITIONS, CATALOGUE, Joiners(0.25), max_idle=0)
        self.parts.use(velocities)
        self.parts.epochs |= dict.fromkeys(range(PARTITIONS), 0)
        self._random, self._fetches = np.random.default_rng(1), Fetches(PARTITIONS)
        self._number, self._now_ms = 0, time.time_ns() // 1_000_000

    def fetched(self, count: int) -> list[Fetched]:
        """The next orders."""
        self._now_ms += STEP_MS
        values, keys = [], []
        for number in range(self._number, self._number + count):
            user, value = order(number, self._random)
            keys.append(user.encode())
            values.append(msgspec.json.encode(value | {"ts": self._now_ms}))
        self._number += count
        return list(self._fetches.of(RecordedBatch([ORDERS] * count, keys, [self._now_ms] * count, values)))

    def step(self, fetches: Sequence[Fetched]) -> int:
        """Ask and answer; tells how many records are written."""
        for fetched in fetches:
            self.parts.partitions[fetched.partition].feed(fetched)
        asks = self.parts.asks(lambda number, topic: 0, self._now_ms / 1_000)
        answers = self.parts.answers(taken_here(asks, self._now_ms), self._now_ms)
        self.parts.hear(answers)
        written = [message for message in (*asks, *self.parts.records(), *answers) if message.lasting]
        return sum(len(value) > 0 for _, value in records_of(written))

    def settle(self) -> None:
        """All orders are decided."""
        for part in self.parts.partitions.values():
            offsets = np.arange(part.joiner.decided, part.resume.orders)
            assert part.joiner.ready(offsets, 0, is_live=False) == len(offsets), "an order was not told all"
            part.joiner.through(part.resume.orders)


def measure(shop: Shop, size: int, count: int) -> dict[str, float]:
    """CPU and records of ``count`` steps of ``size`` orders."""
    costs, records = [], 0
    for _ in range(count):
        fetches = shop.fetched(size)
        begun = time.process_time()
        records += shop.step(fetches)
        costs.append(time.process_time() - begun)
        shop.settle()
    return {"ms": round(float(np.median(costs)) * 1_000, 2), "records": round(records / count, 1)}


def main(ruleset: str | None = None) -> None:
    """Measure each size, and print."""
    rules = None if ruleset is None else compile_ruleset(read_ruleset(Path(ruleset)))
    velocities = WATCHED if rules is None else rules.velocities
    shop = Shop(velocities)
    for size, count in WARM_UP:
        measure(shop, size, count)
    found = {f"{size} orders": measure(shop, size, count) for size, count in SIZES}
    sys.stdout.write(json.dumps({"velocities": len(velocities), **found}, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
