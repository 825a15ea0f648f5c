"""The records of an experiment, from a folder of a replay or from the topics."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from aiokafka.errors import KafkaError

from app.cli.errors import UsageProblem
from app.kafka.reading import reading
from app.kafka.topics import TopicError, partition_counts
from app.learning.outputs import TOPICS, Published
from app.replay.recording import open_recording
from schemas.topics import CLICKSTREAM, INTENT_EVENTS, LABELS, RISK_EVENTS, SESSION_EVENTS

_MOST = 4_096
_OUTPUTS = (SESSION_EVENTS, INTENT_EVENTS, RISK_EVENTS)


def from_folder(folder: Path, inputs: Sequence[Path], adapter: str) -> Published:
    """The outputs that `sluice replay --out DIR` wrote, and of the replayed files the purchases and labels.

    Raises:
        UsageProblem: a file is not there or is none of its kind.
    """
    found = Published()
    for topic in _OUTPUTS:
        path = folder / f"{topic}.jsonl"
        try:
            with path.open("rb") as lines:
                found.take(topic, lines)
        except OSError as error:
            raise UsageProblem(
                f"cannot read {path}: {error.strerror}; name a folder that `sluice replay --out DIR` wrote"
            ) from error
    if inputs:
        for batch in open_recording(inputs, adapter):
            for topic in (CLICKSTREAM, LABELS):
                pairs = zip(batch.topics, batch.values, strict=True)
                found.take(topic, [value for name, value in pairs if name == topic])
    return found


def from_topics(broker: str) -> Published:
    """The outputs and inputs that the topics hold.

    Raises:
        UsageProblem: no broker answers, or topics are missing.
    """
    # What aiokafka would log about a missing broker is in the one line that the command ends with.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_read(broker))
    except (TopicError, KafkaError) as error:
        raise UsageProblem(str(error)) from error


async def _read(broker: str) -> Published:
    counts = await partition_counts(broker)
    if missing := [topic for topic in TOPICS if topic not in counts]:
        raise TopicError(f"no topic {', '.join(missing)} at {broker}; make the topics with `sluice topics create`")
    found = Published()
    for partition in range(counts[CLICKSTREAM]):
        async with reading(broker, TOPICS, partition) as reader:
            while not reader.is_at_end:
                for topic, records in (await reader.take(_MOST)).items():
                    found.take(topic, [record.value for record in records])
    return found
