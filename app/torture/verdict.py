"""The verdict: everything that is checked once the group is empty and has read to the end."""

import asyncio
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.reading import reading
from app.ops.settings import load_settings
from app.state.changelog import changelog_topic
from app.torture.fences import fence_faults
from app.torture.outputs import Comparison, Counts
from app.torture.reference import Reference
from app.torture.states import folded, reference_faults, store_faults
from app.torture.workers import GROUP
from app.worker.assembly import TABLE
from app.worker.run import load_models
from schemas.topics import INPUTS, OUTPUTS

_MOST = 4_000
_MOST_AT_ONCE = 4

Say = Callable[[str], None]


@dataclass
class Findings:
    """What the topics and stores say."""

    counts: Counts = field(default_factory=Counts)
    inputs: Counter[str] = field(default_factory=Counter)
    state: list[str] = field(default_factory=list)
    fences: list[str] = field(default_factory=list)

    def add(self, other: "Findings") -> None:
        """Take in what was found elsewhere."""
        self.counts.add(other.counts)
        self.inputs.update(other.inputs)
        self.state += other.state
        self.fences += other.fences


@dataclass(frozen=True)
class _Place:
    """Where everything lies: the broker's address, its folder of topics, the workers' folder of state."""

    broker: str
    topics: Path
    state: Path


def look(broker: DevelopmentBroker, state_dir: Path, partitions: int, say: Say) -> Findings:
    """Read all of it beside a reference, some partitions at a time, each in a process of its own."""
    findings = Findings()
    place = _Place(broker.address, broker.topics_folder, state_dir)
    at_once = min(partitions, os.cpu_count() or 1, _MOST_AT_ONCE)
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload([__name__])  # everything is imported once
    # One after the other a process would keep what the last partition took.
    with ProcessPoolExecutor(at_once, start, max_tasks_per_child=1) as processes:
        looking = [processes.submit(look_at, place, number, partitions) for number in range(partitions)]
        for done, one in enumerate(as_completed(looking), 1):
            findings.add(one.result())
            say(f"{done} of {partitions} partitions are checked")
    return findings


def look_at(place: _Place, number: int, partitions: int) -> Findings:
    """Check one partition, in this process."""
    return asyncio.run(_look_at(place, number, partitions))


async def _look_at(place: _Place, number: int, partitions: int) -> Findings:
    findings, settings = Findings(), load_settings(drift_window_ms=0)
    models = load_models(settings)
    async with reading(place.broker, [topic.name for topic in INPUTS], number) as inputs:
        reference = Reference(models, settings, partitions, inputs, number)
        await _compare(place.broker, reference, number, findings.counts)
    findings.inputs.update(reference.inputs)
    rows, end = await folded(place.broker, changelog_topic(GROUP, TABLE), number)
    findings.state += store_faults(place.state, number, rows, end)
    findings.state += reference_faults(reference.pipeline, number, rows)
    for topic in OUTPUTS:
        findings.fences += fence_faults(place.topics, topic.name, number)
    return findings


async def _compare(broker: str, reference: Reference, partition: int, counts: Counts) -> None:
    """Go through both side by side, so that neither runs far ahead of the other in any topic."""
    comparison = Comparison(counts)
    async with reading(broker, [topic.name for topic in OUTPUTS], partition) as outputs:
        while not (reference.is_at_end and outputs.is_at_end):
            behind = [topic for topic in outputs.topics if comparison.wants_found(topic)]
            if behind or reference.is_at_end:
                for topic, records in (await outputs.take(_MOST, behind)).items():
                    for one in records:
                        comparison.find(topic, one.key, one.value)
            else:
                for out in await reference.take():
                    for value in out.values:
                        comparison.expect(out.topic, value)
    comparison.end()
