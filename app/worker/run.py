"""Run a worker in this process until it is told to stop, or has read to the end."""

import asyncio
import gc
import sys
import time

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from agents.events import register
from app.cli.errors import UsageProblem
from app.kafka.fetched import Partition
from app.models.runtime import load_intent, load_risk
from app.ops.metrics import Metrics
from app.ops.progress import Progress
from app.ops.settings import Settings
from app.step import Models
from app.tally import Tally
from app.worker.assembly import assemble
from app.worker.observer import Observer
from app.worker.service import WorkerService
from schemas.topics import TOPICS

_SWITCH_INTERVAL_S = 0.001  # the consumer's thread answers heartbeats and fetches while a step computes


def load_models(settings: Settings) -> Models:
    """The models that the settings name.

    Raises:
        UsageProblem: one is missing, damaged, or made for other features.
    """
    repository, provider = settings.model_repository, settings.provider
    return Models(
        load_intent(repository, settings.intent_model, settings.intent_version, provider),
        load_risk(repository, settings.risk_model, settings.risk_version, provider),
    )


def run_worker(settings: Settings, until_end: bool) -> dict[str, object]:
    """Run a worker; returns its figures when it is stopped by a signal, or at the end.

    Raises:
        UsageProblem: the broker is not there, topics are missing or do not fit, or a model cannot be loaded.
        SystemExit: the worker failed; the code is not 0.
    """
    models = load_models(settings)
    ends = asyncio.run(check_topics(settings))
    tally = Tally()
    observer = Observer(Metrics(CollectorRegistry()), Progress(time.monotonic, settings.watchdog_s), tally)
    assembly = assemble(settings, models, observer)
    register(assembly.app, assembly.processor)
    service = WorkerService(assembly, ends if until_end else None)
    started = time.monotonic()
    _settle_runtime()
    worker = assembly.app.Worker(service, loglevel=None, quiet=True, override_logging=False, redirect_stdouts=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as leaving:
        if leaving.code:
            raise
    return tally.report(time.monotonic() - started)


def _settle_runtime() -> None:
    """Steps make hundreds of thousands of objects and no cycles: collecting them often is wasted time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)


async def check_topics(settings: Settings) -> dict[Partition, int]:
    """The end of every input partition.

    Raises:
        UsageProblem: the broker is not there, or a topic is missing or has another number of partitions.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker)
    try:
        await consumer.start()
    except KafkaConnectionError:
        await consumer.stop()
        raise UsageProblem(
            f"no Kafka answers at {settings.broker}; start one with `sluice kafka start` or set --broker"
        ) from None
    try:
        inputs = []
        known = await consumer.topics()
        for topic in TOPICS:
            found = consumer.partitions_for_topic(topic.name) if topic.name in known else None
            _check_topic(topic.name, found, settings)
            if topic.direction == "in":
                inputs += [TopicPartition(topic.name, partition) for partition in sorted(found or ())]
        ends = await consumer.end_offsets(inputs)
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}
    finally:
        await consumer.stop()


def _check_topic(name: str, found: set[int] | None, settings: Settings) -> None:
    if not found:
        raise UsageProblem(f"topic {name} does not exist at {settings.broker}; make it with `sluice topics create`")
    if len(found) != settings.partitions:
        raise UsageProblem(
            f"topic {name} has {len(found)} partitions and --partitions says {settings.partitions}; "
            f"set --partitions {len(found)} if all topics have as many, else make the topics anew"
        )
