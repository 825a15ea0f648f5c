"""What the path from fetched bytes to output records and changelog rows costs, without a broker.

python -m tests.benchmarks.bench_path [STEP_SIZE ...] [RULESET]

Prints CPU time per event and per step for each size of step, then where it goes. The digest is of every output and
changelog row: two versions of the code with the same digest publish and store the same bytes.
"""

import functools
import gc
import hashlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import app.batch
import app.pipeline
import app.scoring.clicks
import app.scoring.trial
import app.step
from app.events.align import Aligner
from app.events.decode import Decoder
from app.kafka.fetched import Fetched
from app.models.runtime import load_intent, load_risk
from app.models.text import load_text
from app.pipeline import Limits, Pipeline, Work
from app.replay.fetches import Fetches
from app.replay.load import load
from app.rules.compiling import compile_ruleset
from app.rules.reading import read_ruleset
from app.state.columns import Lifetimes, UserTable
from app.step import Models

LIVES = Lifetimes(gap_ms=30 * 60_000, history_ms=30 * 86_400_000, grace_ms=60_000)
PARTITIONS, USERS, ZIPF_EXPONENT = 4, 50_000, 1.0
WARM_EVENTS, WARM_STEP = 65_536, 8_192
SCORED_AT = 1_800_000_000_000
SIZES = (8_192, 4_096, 25, 8)
FEW_STEPS, EVENTS = 1_000, 131_072
"""A size is measured over at most so many steps, and over at most so many events."""

STAGES: tuple[tuple[Any, str], ...] = (
    (Decoder, "decode"),
    (Aligner, "take"),
    (app.step, "gather"),
    (app.step, "admit"),
    (app.step, "score_clicks"),
    (app.scoring.clicks, "scan_sessions"),
    (app.scoring.clicks, "click_features"),
    (app.scoring.trial, "score_waves"),
    (app.step, "judge_sessions"),
    (app.step, "score_orders"),
    (app.step, "close_over"),
    (UserTable, "write"),
    (UserTable, "changes"),
    (app.pipeline, "step"),
    (app.pipeline, "publish"),
)
"""Where each timed function is looked up; `step` holds those from `gather` to `changes`."""


@dataclass(frozen=True)
class Recording:
    """Fetches to warm the state with, and those of each step that is measured."""

    warm: list[list[Fetched]]
    steps: list[list[Fetched]]

    @classmethod
    def of(cls, size: int) -> "Recording":
        """Steps of ``size`` events that go on from where the warm ones end."""
        numbered = Fetches(PARTITIONS)
        measured = min(EVENTS, FEW_STEPS * size)
        batches = load(WARM_EVENTS + measured, USERS, 1, zipf_exponent=ZIPF_EXPONENT, batch_rows=WARM_STEP)
        warm = [list(numbered.of(batch)) for batch in islice(batches, WARM_EVENTS // WARM_STEP)]
        steps = []
        for batch in batches:
            for start in range(0, len(batch), size):
                rows = list(range(start, min(start + size, len(batch))))
                steps.append(list(numbered.of(batch.take(rows))))
        return cls(warm, steps)

    def events(self) -> int:
        """How many are measured."""
        return sum(len(fetched) for fetches in self.steps for fetched in fetches)


@dataclass
class Result:
    """Seconds of CPU for every step that was fed, and what came out."""

    seconds: list[float] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)

    def take(self, works: Sequence[Work]) -> None:
        """Add outputs and changes to the digest."""
        for work in works:
            for out in work.outgoing:
                self.digest.update(repr((out.topic, out.partition, out.keys, out.values, out.headers)).encode())
            for change in work.changes:
                self.digest.update(repr((change.partition, change.keys, change.values)).encode())


def drained(pipeline: Pipeline, fetches: Sequence[Fetched]) -> list[Work]:
    """What ``fetches`` yield when every topic has been read to its end."""
    for fetched in fetches:
        pipeline.feed(fetched)
    return list(iter(lambda: pipeline.work(lambda tp: 0, 0.0, SCORED_AT), None))


def run(models: Models, recording: Recording, warmed: Callable[[], None] = lambda: None) -> Result:
    """Drive a new pipeline through ``recording``; ``warmed`` is told when the measured part begins."""
    pipeline = Pipeline(models, LIVES, Limits(WARM_STEP, 1 << 20, 0.0), PARTITIONS, with_headers=True)
    for fetches in recording.warm:
        drained(pipeline, fetches)
    warmed()
    result = Result()
    for fetches in recording.steps:
        started = time.thread_time()
        works = drained(pipeline, fetches)
        result.seconds.append(time.thread_time() - started)
        result.take(works)
    return result


class Stages:
    """Seconds of CPU by function while it is entered; functions are timed where they are looked up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def __enter__(self) -> "Stages":
        self._originals = [(owner, name, getattr(owner, name)) for owner, name in STAGES]
        for owner, name, function in self._originals:
            setattr(owner, name, self._timed(name, function))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, function in self._originals:
            setattr(owner, name, function)

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: object) -> object:
            started = time.thread_time()
            found = function(*args)
            if name == "publish":
                found = list(found)  # it is lazy
            self.seconds[name] += time.thread_time() - started
            return found

        return timed


def measure(models: Models, size: int) -> None:
    """Print what steps of ``size`` events cost."""
    recording = Recording.of(size)
    gc.freeze()
    result = run(models, recording)
    with Stages() as stages:
        run(models, recording, stages.seconds.clear)
    events, steps, total = recording.events(), len(recording.steps), sum(result.seconds)
    typical = sorted(result.seconds)[steps // 2]
    sys.stdout.write(
        f"steps of {size} events: {total / events * 1e6:.2f} us/event, {total / steps * 1e6:.0f} us/step "
        f"(median {typical * 1e6:.0f}), digest {result.digest.hexdigest()[:16]}\n"
    )
    for name, seconds in sorted(stages.seconds.items(), key=lambda stage: -stage[1]):
        sys.stdout.write(f"  {name:16}{seconds / events * 1e6:8.2f} us/event{seconds / steps * 1e6:9.0f} us/step\n")
    sys.stdout.flush()


def main(*arguments: str) -> None:
    """Measure each size of step that is named, under the ruleset that is; garbage is collected as in a worker."""
    sizes = [int(argument) for argument in arguments if argument.isdecimal()]
    rulesets = [Path(argument) for argument in arguments if not argument.isdecimal()]
    gc.set_threshold(200_000, 20, 100)
    repository = Path(__file__).resolve().parents[2] / "onnx"
    models = Models(load_intent(repository), load_risk(repository), text=load_text(repository))
    for path in rulesets:
        models = replace(models, rules=compile_ruleset(read_ruleset(path)))
    for size in sizes or SIZES:
        measure(models, size)


if __name__ == "__main__":
    main(*sys.argv[1:])
