"""Reading the topics of a broker back, as the settings of its workers have it."""

import asyncio
import logging

from aiokafka.errors import KafkaError

from app.cli.errors import UsageProblem
from app.fanout.local import LocalFanOut
from app.kafka.topics import TopicError, partition_counts
from app.learning.reading import Gathered, gather, pipeline_of
from app.models.manifest import Kind
from app.models.runtime import load_intent, load_risk
from app.ops.settings import Settings
from app.pipeline import Limits
from app.state.columns import Lifetimes
from app.step import Models
from app.training.progress import Reporter
from schemas.topics import CLICKSTREAM, INPUTS


def models_with(settings: Settings, kind: Kind, version: str | None) -> Models:
    """The models that the settings name, that of ``kind`` in this ``version`` if it is not None.

    Raises:
        UsageProblem: one is missing, damaged, or made for other features.
    """
    repository, provider = settings.model_repository, settings.provider
    intent = (version if kind == "intent" else None) or settings.intent_version
    risk = (version if kind == "risk" else None) or settings.risk_version
    return Models(
        load_intent(repository, settings.intent_model, intent, provider),
        load_risk(repository, settings.risk_model, risk, provider),
    )


def read_back(
    models: Models, settings: Settings, reporter: Reporter, into: Gathered | None = None
) -> tuple[Gathered, int]:
    """What the input topics hold, scored by ``models``, and the number of their partitions; see `gather` for ``into``.

    Raises:
        UsageProblem: no broker answers, or topics are missing.
    """
    # What aiokafka would log about a missing broker is in the one line that the command ends with.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    partitions = _partitions(settings.broker)
    lifetimes = Lifetimes(settings.session_gap_ms, settings.history_ttl_ms, settings.grace_ms)
    limits = Limits(settings.max_batch_records, settings.max_value_bytes, 0.0)
    fan_out = LocalFanOut(partitions, models.velocities, settings.max_value_bytes)
    new_pipeline = pipeline_of(models, lifetimes, limits, partitions, fan_out.joiners)
    done = reporter.stage("read the topics")
    try:
        gathered = asyncio.run(gather(settings.broker, partitions, new_pipeline, done, fan_out, into))
    except KafkaError as error:
        raise UsageProblem(
            f"the topics at {settings.broker} cannot be read ({error!r}); see the broker's log"
        ) from error
    return gathered, partitions


def _partitions(broker: str) -> int:
    try:
        counts = asyncio.run(partition_counts(broker))
    except TopicError as error:
        raise UsageProblem(str(error)) from error
    if missing := [topic.name for topic in INPUTS if topic.name not in counts]:
        raise UsageProblem(f"no topic {', '.join(missing)} at {broker}; make the topics with `sluice topics create`")
    return counts[CLICKSTREAM]
