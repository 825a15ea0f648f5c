"""The verdict: everything that is checked once the group is empty and has read to the end."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.reading import reading
from app.ops.settings import Settings
from app.state.changelog import changelog_topic
from app.step import Models
from app.torture.fences import fence_faults
from app.torture.outputs import Comparison, Counts
from app.torture.reference import Reference
from app.torture.states import folded, reference_faults, store_faults
from app.torture.workers import GROUP
from app.worker.assembly import TABLE
from schemas.topics import INPUTS, OUTPUTS

_MOST = 4_000

Say = Callable[[str], None]


@dataclass
class Findings:
    """What the topics and stores say."""

    counts: Counts = field(default_factory=Counts)
    inputs: Counter[str] = field(default_factory=Counter)
    state: list[str] = field(default_factory=list)
    fences: list[str] = field(default_factory=list)


async def look(
    broker: DevelopmentBroker, state_dir: Path, models: Models, settings: Settings, partitions: int, say: Say
) -> Findings:
    """Read all of it, a partition at a time, beside a reference of each."""
    findings, address = Findings(), broker.address
    for number in range(partitions):
        say(f"checking partition {number + 1} of {partitions}")
        async with reading(address, [topic.name for topic in INPUTS], number) as inputs:
            reference = Reference(models, settings, partitions, inputs, number)
            await _compare(address, reference, number, findings.counts)
        findings.inputs.update(reference.inputs)
        rows, end = await folded(address, changelog_topic(GROUP, TABLE), number)
        findings.state += store_faults(state_dir, number, rows, end)
        findings.state += reference_faults(reference.pipeline, number, rows)
        for topic in OUTPUTS:
            findings.fences += fence_faults(broker.topics_folder, topic.name, number)
    return findings


async def _compare(broker: str, reference: Reference, partition: int, counts: Counts) -> None:
    comparison = Comparison(counts)
    async with reading(broker, [topic.name for topic in OUTPUTS], partition) as outputs:
        while not (reference.is_at_end and outputs.is_at_end):
            if reference.is_at_end or (comparison.wants_found and not outputs.is_at_end):
                for topic, records in (await outputs.take(_MOST)).items():
                    for one in records:
                        comparison.find(topic, one.key, one.value)
            else:
                for out in await reference.take():
                    for value in out.values:
                        comparison.expect(out.topic, value)
    comparison.end()
