"""A play in acts: versions of the click model come and go under load, and what the consumers see of it."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from app.cli.errors import UsageProblem
from app.demo.consumers import Consumers, Seen, Window
from app.demo.plays import Played
from app.demo.run import signals_in_order, workplace
from app.demo.screen import Screen
from app.demo.variants import VARIANTS, demo_repository
from app.demo.workers import workers
from app.kafka.devbroker import DevelopmentBroker
from app.kafka.topics import catalogue, create_topics
from app.ops.settings import Settings
from app.registry.commanding import Command, Outcome, command
from app.registry.control import canaried, promoted, rolled_back, shadowed
from app.replay.pacing import RatePace
from app.replay.send import send

NAME = "intent"
SEED = 1
WARM_UP_S = 5.0
SETTLED_MS = 1_000
"""After the last worker's answer a swap is over, and its late effects too."""

_ANSWER_S = 20.0
_CATCH_UP_S = 30.0
_POLL_S = 0.1
_WINDOW = 500  # scores by which a version is judged in the demo: a small shop has few
_WHO = "sluice models demo"


@dataclass(frozen=True)
class Plan:
    """How many events a second, how long each act lasts (s), and with how many workers."""

    rate: float
    seconds: float
    workers: int
    settings: Settings


@dataclass(frozen=True)
class Act:
    """Something that is said of the model, and what was said in words."""

    title: str
    make: Command | None


@dataclass(frozen=True)
class Ended:
    """An act that is over: when it began and ended, when its command was given and answered (ms), and the answers."""

    act: Act
    start: int
    end: int
    given: int
    answered: int
    outcome: Outcome | None
    refused: str | None


def acts() -> Iterator[Act]:
    """The acts in their order."""
    what = {variant.version: variant.what for variant in VARIANTS}

    def promote(version: str) -> Command:
        return lambda now, runs: promoted(now, version, runs, _WHO, _now_ms())

    yield Act("version 1 serves, by the workers' settings", None)
    yield Act(f"promote 2 ({what['2']})", promote("2"))
    yield Act("roll back", lambda now, _: rolled_back(now, _WHO, _now_ms()))
    yield Act("promote 2 again", promote("2"))
    yield Act(f"shadow 3 ({what['3']})", lambda now, _: shadowed(now, "3", _WHO, _now_ms()))
    yield Act("canary 1 for a fifth of the users", lambda now, _: canaried(now, "1", 0.2, _WHO, _now_ms()))
    yield Act("end the canary", lambda now, _: canaried(now, None, 0.0, _WHO, _now_ms()))
    yield Act(f"promote 4 ({what['4']})", promote("4"))
    yield Act(f"promote 5 ({what['5']})", promote("5"))
    yield Act(f"promote 6 ({what['6']})", promote("6"))
    yield Act("whatever is in force goes on", None)


def run(plan: Plan, screen: Screen) -> dict[str, Any]:
    """Play all acts on a broker and workers of their own, which are gone afterwards; the figures.

    Raises:
        UsageProblem, DevelopmentBrokerError, WorkerEnded: it could not go on; the logs then stay.
        KeyboardInterrupt: it was interrupted, or told to end.
    """
    with signals_in_order(), workplace(screen) as folder:
        models = demo_repository(plan.settings.model_repository, folder / "onnx")
        screen.say("starting Kafka")
        with DevelopmentBroker(folder / "kafka") as broker:
            asyncio.run(create_topics(broker.address, catalogue(plan.settings.partitions)))
            screen.say(f"starting {plan.workers} worker{'s' if plan.workers > 1 else ''}")
            own = {"SLUICE_INTENT_VERSION": "1", "SLUICE_MODEL_WINDOW": str(_WINDOW)}
            with workers(broker.address, folder, plan.workers, models, own):
                return asyncio.run(_play(plan, broker.address, screen))


async def _play(plan: Plan, broker: str, screen: Screen) -> dict[str, Any]:
    seconds = WARM_UP_S + plan.seconds * len(list(acts())) + _ANSWER_S
    events = Played().shop(SEED, int(plan.rate * seconds))
    async with Consumers(broker, plan.settings.partitions) as seen:
        sending = asyncio.create_task(send(events, broker, pace=RatePace(plan.rate)))
        try:
            await asyncio.sleep(WARM_UP_S)
            played = [await _play_act(act, plan.seconds, broker, screen) for act in acts()]
        finally:
            sending.cancel()
            await asyncio.wait([sending])
        await _until_answered(seen, played[-1].end)
    return _figures(played, seen)


async def _play_act(act: Act, seconds: float, broker: str, screen: Screen) -> Ended:
    screen.say(act.title)
    start, outcome, refused = _now_ms(), None, None
    if act.make is not None:
        try:
            outcome = await command(broker, NAME, act.make, _now_ms, _ANSWER_S)
        except UsageProblem as problem:
            refused = problem.message
    answered = _now_ms()
    await asyncio.sleep(max(0.0, seconds - (answered - start) / 1000))
    return Ended(act, start, _now_ms(), start, answered, outcome, refused)


async def _until_answered(seen: Seen, end: int) -> None:
    """Until every click appended before ``end`` has its answer, or for so long that it is lost."""
    deadline = time.monotonic() + _CATCH_UP_S
    while seen.between(0, end).lost and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_S)


def _figures(played: Sequence[Ended], seen: Seen) -> dict[str, Any]:
    whole = seen.between(played[0].start, played[-1].end)
    return {
        "clicks": whole.clicks,
        "lost": whole.lost,
        "repeated": whole.repeated,
        "dead_letters": whole.versions["dead letter"],
        "latency_ms": _latency(whole),
        "swaps": _swaps(played, seen),
        "acts": [_act(one, seen) for one in played],
    }


def _act(one: Ended, seen: Seen) -> dict[str, Any]:
    window = seen.between(one.start, one.end)
    alerts = [alert.title for alert in seen.alerts.values() if one.start <= alert.ts < one.end]
    answers = [] if one.outcome is None else one.outcome.answers
    return {
        "act": one.act.title,
        "command_ms": one.answered - one.given if one.act.make else None,
        "workers": {f"{answer.group}/{answer.instance}": answer.serving for answer in answers},
        "refused": [one.refused] if one.refused else [] if one.outcome is None else one.outcome.refusals,
        "recommender": {
            "clicks": window.clicks,
            "versions": dict(sorted(window.versions.items())),
            "lost": window.lost,
            "repeated": window.repeated,
            "latency_ms": _latency(window),
        },
        "risk_team": alerts,
    }


def _latency(window: Window) -> dict[str, float]:
    return {
        "p50": window.percentile(50),
        "p99": window.percentile(99),
        "max": float(window.waits.max(initial=0)),
    }


def _swaps(played: Sequence[Ended], seen: Seen) -> dict[str, Any]:
    """The longest wait of a click around each command, beside those of stretches as long in which nothing was said.

    What a swap adds at most is the longest wait around it less the median of the longest in quiet stretches.
    """
    around = [(one.given, one.answered + SETTLED_MS) for one in played if one.outcome is not None]
    length = int(median(end - start for start, end in around))
    worst = [_longest(seen, start, end) for start, end in around]
    busy = sorted(around)
    quiet = [
        _longest(seen, start, start + length)
        for start in range(played[0].start, played[-1].end - length, length)
        if not any(start < end and begin < start + length for begin, end in busy)
    ]
    usual = median(quiet) if quiet else 0
    return {
        "commands": len(around),
        "longest_wait_ms": max(worst),
        "longest_waits_ms": worst,
        "quiet_stretches": len(quiet),
        "longest_wait_in_a_quiet_stretch_ms": {"median": usual, "max": max(quiet, default=0)},
        "added_ms": max(worst) - usual,
    }


def _longest(seen: Seen, start: int, end: int) -> int:
    return int(seen.between(start, end).waits.max(initial=0))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
