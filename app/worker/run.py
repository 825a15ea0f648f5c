"""Run a worker in this process until it is told to stop, or has read to the end."""

import asyncio
import gc
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from app.cli.errors import UsageProblem
from app.drift.windows import DriftLimits
from app.fanout.service import VelocitiesRefused
from app.kafka.faust_app import BatchApp
from app.kafka.fetched import Partition
from app.kafka.topics import TopicError, partition_counts
from app.models.runtime import load_intent, load_risk
from app.models.text import load_text
from app.ops.metrics import Metrics
from app.ops.progress import Progress
from app.ops.settings import Settings
from app.registry.notices import Notices
from app.registry.producing import NoticeProducer
from app.rules.book import RuleBook
from app.scoring.explaining import from_probability
from app.state.applied import InputTruncated
from app.state.changelog import ChangelogMismatch
from app.state.store import StoreLocked
from app.step import Models
from app.tally import Tally
from app.text.lexicon import lexicon
from app.worker.assembly import assemble, now_ms
from app.worker.models import ModelService, model_registry
from app.worker.observer import Observer
from app.worker.processor import Processor
from app.worker.rulesets import Rulesets, RulesetService, own_rules, values_in_force
from app.worker.service import WorkerService
from app.worker.timed import timed
from app.worker.velocities import VelocityService
from schemas.topics import CLICKSTREAM, INPUTS, TOPICS

_RSS_UNITS = 2**20 if sys.platform == "darwin" else 2**10  # in a MiB: getrusage(2) counts bytes there, KiB elsewhere
_SWITCH_INTERVAL_S = 0.01  # two threads that take turns more often cost a tenth of the worker's time


Register = Callable[[BatchApp, Processor], None]
"""Adds agents to an app that feed a processor."""


class WorkerFailed(click.ClickException):
    """The worker could not go on, for a reason that is not its configuration; exit code 1."""


def load_models(settings: Settings) -> Models:
    """The models and the ruleset that the settings name.

    Raises:
        UsageProblem: one is missing, damaged, made for other features, or wrong.
    """
    repository, provider = settings.model_repository, settings.provider
    return Models(
        load_intent(repository, settings.intent_model, settings.intent_version, provider),
        load_risk(repository, settings.risk_model, settings.risk_version, provider),
        drift=DriftLimits(
            settings.drift_window_ms, settings.drift_one_in, settings.drift_min_rows, settings.drift_max_psi
        ),
        text=load_text(repository, settings.text_model, settings.text_version, provider),
        explaining=None if settings.explain_above is None else from_probability(settings.explain_above),
        rules=own_rules(settings),
    )


def run_worker(settings: Settings, register: Register, until_end: bool) -> dict[str, object]:
    """Run a worker; returns its figures when it is stopped by a signal, or at the end.

    Args:
        settings: of this run.
        register: adds the agents to the app.
        until_end: leave once everything was processed that is there at the start.

    Raises:
        UsageProblem: the broker is not there, topics are missing or do not fit, or a model cannot be loaded.
        WorkerFailed: it could not go on; the log says more.
    """
    # Before any loop is made: the worker's, and its consumer's, which competes with it for the interpreter.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    models = load_models(settings)
    ends = asyncio.run(input_ends(settings.broker))
    in_force = asyncio.run(values_in_force(settings.broker))
    partitions = sum(1 for topic, _ in ends if topic == CLICKSTREAM)
    tally = Tally()
    # Who has not heard of the broker for a session has lost its partitions.
    progress = Progress(time.monotonic, settings.watchdog_s, contact_s=settings.session_timeout_ms / 1000)
    observer = Observer(Metrics(CollectorRegistry()), progress, tally)
    models = timed(models, time.perf_counter, observer.model_called)
    assembly = assemble(settings, models, observer, partitions)
    register(assembly.app, assembly.processor)
    notices_by = NoticeProducer(settings.broker)
    notices = Notices(notices_by.send)
    pipeline = assembly.pipeline
    velocities = VelocityService(assembly.fan_out, pipeline.velocities)

    def use_rules(book: RuleBook) -> None:
        pipeline.use_rules(book)
        velocities.use(pipeline.velocities)

    def swap(change: Callable[[Models], Models]) -> None:
        pipeline.models = change(pipeline.models)
        velocities.use(pipeline.velocities)

    observer.registry = registry = model_registry(settings, models, swap, observer, notices)
    rulesets = Rulesets(models.rules, use_rules, observer.metrics)
    rulesets.begin(in_force)
    services = [
        WorkerService(assembly, ends if until_end else None),
        ModelService(settings.broker, registry, notices, notices_by),
        RulesetService(settings, rulesets, now_ms),
        velocities,
    ]
    settle_runtime()
    started, cpu_started = time.monotonic(), time.process_time()
    app = assembly.app
    worker = app.conf.Worker(app, *services, loglevel=None, quiet=True, override_logging=False, redirect_stdouts=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as leaving:
        if leaving.code:
            raise _failure(leaving.__context__) from leaving
    return tally.report(time.monotonic() - started) | {
        "cpu_seconds": round(time.process_time() - cpu_started, 3),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _RSS_UNITS),
    }


def _failure(reason: BaseException | None) -> click.ClickException:
    """What a user is told of the exception that ended the worker."""
    if isinstance(reason, UsageProblem):
        return reason
    if isinstance(reason, (ChangelogMismatch, InputTruncated, StoreLocked, TopicError, VelocitiesRefused)):
        return UsageProblem(str(reason))
    return WorkerFailed(f"the worker ended: {reason or 'see its log'}")


def settle_runtime() -> None:
    """Steps make hundreds of thousands of objects and no cycles: collecting them often is wasted time.

    What lasts for ever is made before, so that it is never looked through again.
    """
    lexicon()
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)


async def input_ends(broker: str) -> dict[Partition, int]:
    """The end of every input partition, once all topics are found to be there and of one size.

    Raises:
        UsageProblem: the broker is not there, a topic is missing, or topics differ in their number of partitions.
    """
    try:
        with _silent("aiokafka"):  # what it would log about a missing broker is in the one line
            counts = await partition_counts(broker)
    except TopicError as error:
        raise UsageProblem(str(error)) from None
    _check_counts(counts, broker)
    inputs = [TopicPartition(topic.name, number) for topic in INPUTS for number in range(counts[topic.name])]
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        return {(tp.topic, tp.partition): end for tp, end in (await consumer.end_offsets(inputs)).items()}


@contextmanager
def _silent(library: str) -> Iterator[None]:
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _check_counts(counts: Mapping[str, int], broker: str) -> None:
    if missing := [topic.name for topic in TOPICS if topic.name not in counts]:
        raise UsageProblem(f"no topic {', '.join(missing)} at {broker}; make the topics with `sluice topics create`")
    found = {topic.name: counts[topic.name] for topic in TOPICS}
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in found.items())
        raise UsageProblem(f"all topics must have the same number of partitions; at {broker} they have: {listed}")
