"""What an event costs with more users, and in longer sessions: the path without a broker, with the committed models.

python -m tests.benchmarks.bench_scale [STEPS]

Two workers go side by side, a step of 8,192 events each in turn, so that a noisy machine disturbs both alike; only
the CPU time of feeding and working counts. Prints one JSON object. Per comparison: CPU microseconds per event of the
smaller and of the larger load, and their ratio (median over pairs of steps, with the 10th and 90th percentile).

- ``users_in_turn``: 10,000 against 1,000,000 users, all with an open session, who act in turn; so every step is of
  8,192 users, and only the size of the table differs.
- ``users_at_random``, ``users_by_zipf``: the same, drawn with equal chances and by rank ** -1; so the larger crowd
  also has more different users in a step.
- ``session_length``: sessions of 10 against sessions of 10,000 events, played from the first event to the last;
  so the short ones also begin and end, and the long ones have 82 events of a user in a step.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
import numpy.typing as npt

from app.ops.settings import Settings, load_settings
from app.pipeline import Pipeline
from app.replay.fetches import Fetches
from app.replay.load import Shop
from app.state.columns import Change
from app.step import Models
from app.worker.assembly import build_pipeline
from app.worker.run import load_models

STEP = 8_192
PARTITIONS = 4
SMALL_CROWD, LARGE_CROWD = 10_000, 1_000_000
SHORT, LONG = 10, 10_000
_START_TS = 1_760_000_000_000
_PAUSE_MS = 180_000  # between two events of a user of a crowd, on average: sessions stay open
_SESSION_RATE = 10.0  # events a second where lengths are compared: a group's sessions end before it comes back
_WARM_UP_STEPS = 10

Integers = npt.NDArray[np.int64]
Draw = Callable[[int, int], Iterator[Integers]]
"""Who acts, a step at a time, from the number of users and a seed."""


@dataclass(frozen=True, slots=True)
class Load:
    """Who acts in each step (arrays of user numbers), out of how many, and how many events there are a second."""

    users: int
    rate: float
    steps: Iterator[Integers]


class Worker:
    """A pipeline and the load it eats; ``changes`` are the rows that its last step changed."""

    def __init__(self, settings: Settings, models: Models, load: Load, partitions: int = PARTITIONS) -> None:
        self.pipeline: Pipeline = build_pipeline(settings, models, partitions)
        self.changes: list[Change] = []
        self._load = load
        self._shop = Shop.opened(load.users, 0, np.random.default_rng(0))
        self._fetches = Fetches(partitions)
        self._events = 0

    def step(self) -> float:
        """CPU microseconds per event of the next step; making the events does not count."""
        who = next(self._load.steps)
        index = np.arange(self._events, self._events + len(who), dtype=np.int64)
        times = _START_TS + (index * (1000 / self._load.rate)).astype(np.int64)
        fetched = list(self._fetches.of(self._shop.batch(index, times, who)))
        self._events += len(who)
        started = time.thread_time()
        for each in fetched:
            self.pipeline.feed(each)
        self.changes = []
        while work := self.pipeline.work(lambda _: 0, 0.0, _START_TS):
            self.changes += work.changes
        return (time.thread_time() - started) * 1e6 / len(who)


def in_turn(users: int, seed: int) -> Iterator[Integers]:
    """Everybody in the same order, again and again."""
    order = np.random.default_rng(seed).permutation(users)
    for step in count():
        yield order[np.arange(step * STEP, (step + 1) * STEP) % users]


def at_random(users: int, seed: int) -> Iterator[Integers]:
    """Everybody with the same chance."""
    rng = np.random.default_rng(seed)
    while True:
        yield rng.integers(0, users, STEP)


def by_zipf(users: int, seed: int) -> Iterator[Integers]:
    """By rank ** -1, over a shuffled list."""
    rng = np.random.default_rng(seed)
    by_rank = rng.permutation(users)
    cumulated = np.cumsum(1 / np.arange(1, users + 1))
    while True:
        yield by_rank[np.searchsorted(cumulated, rng.random(STEP) * cumulated[-1])]


def crowd(users: int, draw: Draw) -> Load:
    """Everybody once, so that the table has its size, then as drawn."""
    everybody = np.array_split(np.random.default_rng(1).permutation(users), -(-users // STEP))
    return Load(users, users * 1000 / _PAUSE_MS, chain(everybody, draw(users, 2)))


def sessions(length: int, active: int, groups: int) -> Load:
    """Groups of ``active`` users act in turn; each of a group has ``length`` events until the next group comes."""

    def actors() -> Iterator[Integers]:
        rng = np.random.default_rng(length)
        for group in count():
            for _ in range(length):
                yield rng.permutation(active) + group % groups * active

    return Load(active * groups, _SESSION_RATE, _resized(actors()))


def _resized(parts: Iterator[Integers]) -> Iterator[Integers]:
    """The same numbers, a step at a time."""
    held = np.zeros(0, np.int64)
    for part in parts:
        held = np.concatenate((held, part))
        while len(held) >= STEP:
            yield held[:STEP]
            held = held[STEP:]


def compare(small: Worker, large: Worker, steps: int) -> dict[str, float]:
    """Cost per event of both, and their ratio, over ``steps`` pairs of steps."""
    costs = np.array([(small.step(), large.step()) for _ in range(steps)])
    low, ratio, high = np.percentile(costs[:, 1] / costs[:, 0], [10, 50, 90]).tolist()
    small_cost, large_cost = np.median(costs, axis=0).tolist()
    return {
        "small_us": round(small_cost, 2),
        "large_us": round(large_cost, 2),
        "ratio": round(ratio, 3),
        "p10": round(low, 3),
        "p90": round(high, 3),
    }


def main(steps: int = 60) -> None:
    """Make all comparisons; ``steps`` pairs of steps each, sessions as many as the long ones take."""
    settings = load_settings(partitions=PARTITIONS, max_idle_ms=0)
    models = load_models(settings)
    result = {}
    draws: dict[str, Draw] = {"users_in_turn": in_turn, "users_at_random": at_random, "users_by_zipf": by_zipf}
    for name, draw in draws.items():
        small, large = (Worker(settings, models, crowd(users, draw)) for users in (SMALL_CROWD, LARGE_CROWD))
        for worker, users in ((small, SMALL_CROWD), (large, LARGE_CROWD)):
            for _ in range(-(-users // STEP) + _WARM_UP_STEPS):
                worker.step()
        result[name] = compare(small, large, steps)
        assert len(large.pipeline.state.table) == LARGE_CROWD
    active = 100
    short, long = (Worker(settings, models, load) for load in (sessions(SHORT, 1_000, 10), sessions(LONG, active, 1)))
    result["session_length"] = compare(short, long, active * LONG // STEP)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
