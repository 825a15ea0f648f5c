"""From the topics to a challenger in the repository, on trial as a shadow beside the champion."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from app.cli.errors import UsageProblem
from app.kafka.topics import TopicError
from app.learning.challenge import Challenge, Order, intent_challenge, risk_challenge
from app.learning.published import check_published
from app.learning.reading import Gathered
from app.learning.rematch import until
from app.learning.sets import Settling
from app.learning.topics import models_with, read_back
from app.models.manifest import Kind
from app.models.repository import versions
from app.ops.settings import Settings
from app.registry.commanding import Outcome, command
from app.registry.control import shadowed
from app.step import Models
from app.training.gru import GruSettings
from app.training.intent import QUICK
from app.training.progress import Reporter
from app.training.storing import store
from app.worker.assembly import now_ms
from schemas.control import ModelControl
from schemas.topics import INTENT_EVENTS, RISK_EVENTS

_WHO = "sluice train --from-topics"
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make: of which ``kind``, beside which ``champion`` (None: the newest version in the repository).

    An order without a label is good ``label_days`` after it. ``verify`` holds what was published against the replay;
    ``shadow`` puts the challenger on trial, for whose workers' answers it waits ``wait_s``.
    """

    kind: Kind
    champion: str | None
    label_days: float
    quick: bool
    verify: bool
    shadow: bool
    wait_s: float


def learned(wanted: Wanted, settings: Settings, created: str, reporter: Reporter) -> dict[str, object]:
    """Make the challenger; tells all that a report needs.

    Raises:
        UsageProblem: no broker answers, topics are missing, or there is nothing to learn from.
    """
    models = models_with(settings, wanted.kind, wanted.champion)
    champion = models.intent if wanted.kind == "intent" else models.risk
    gathered, partitions = read_back(models, settings, reporter)
    published = _published(wanted, champion.version, settings.broker, partitions, gathered)
    version = str(max(versions(settings.model_repository, wanted.kind), default=0) + 1)
    settling = Settling(settings.session_gap_ms, round(wanted.label_days * _DAY_MS))
    order = Order(version, created, settings.broker, settling, QUICK if wanted.quick else GruSettings())
    challenge = _challenge(wanted, gathered, models, order, reporter)
    folder = store(settings.model_repository, until(challenge.trained, gathered.until))
    outcome = _tried(wanted, settings.broker, champion.version, version) if wanted.shadow else None
    return _told(wanted, champion.version, folder, challenge, gathered) | published | _trial(outcome)


def _published(wanted: Wanted, version: str, broker: str, partitions: int, gathered: Gathered) -> dict[str, object]:
    if not wanted.verify:
        return {}
    topic = INTENT_EVENTS if wanted.kind == "intent" else RISK_EVENTS
    try:
        counts = asyncio.run(check_published(broker, partitions, topic, version, gathered))
    except KafkaError as error:
        raise UsageProblem(f"the topic {topic} at {broker} cannot be read ({error!r}); see the broker's log") from error
    return {"published": dict(counts)}


def _challenge(wanted: Wanted, gathered: Gathered, models: Models, order: Order, reporter: Reporter) -> Challenge:
    if wanted.kind == "intent":
        return intent_challenge(gathered, models.intent, order, reporter)
    return risk_challenge(gathered, models.risk, order)


def _tried(wanted: Wanted, broker: str, champion: str, version: str) -> Outcome:
    """Put the challenger in the shadow of the champion, which is named: else it would be the newest at a restart."""

    def make(control: ModelControl, running: str | None) -> ModelControl:
        serving = control.serving or running or champion
        return shadowed(msgspec.structs.replace(control, serving=serving), version, _WHO, now_ms())

    try:
        return asyncio.run(command(broker, wanted.kind, make, now_ms, wanted.wait_s))
    except TopicError as error:
        raise UsageProblem(f"{wanted.kind}/{version} is stored, and not in shadow: {error}") from error


def _told(wanted: Wanted, champion: str, folder: Path, challenge: Challenge, gathered: Gathered) -> dict[str, object]:
    manifest = challenge.trained.manifest
    return {
        "model": f"{manifest.name}/{manifest.version}",
        "champion": f"{manifest.name}/{champion}",
        "folder": folder,
        "inputs": dict(sorted(gathered.inputs.items())),
        "split": manifest.split,
        **challenge.match.told(),
    }


def _trial(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {"shadow": None}
    answers: Mapping[str, object] = {
        "version": None if outcome.withdrawn else outcome.control.shadow,
        "workers": len(outcome.answers),
        "refusals": outcome.refusals,
        "silent": list(outcome.silent),
    }
    return {"shadow": answers}
