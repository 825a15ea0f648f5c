"""The demo from an empty folder to its figures."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from app.cli.errors import UsageProblem
from app.demo.outcome import Outcome, outcome
from app.demo.plays import Played
from app.demo.screen import Screen, Show
from app.demo.watch import Standing, Watch
from app.demo.workers import Worker, workers
from app.kafka.devbroker import DevelopmentBroker
from app.kafka.topics import catalogue, create_topics
from app.ops.settings import Settings
from app.replay.pacing import Pace, RatePace
from app.replay.recorded import RecordedBatch, Recording
from app.replay.send import send

STARTER: Final = Path(__file__).resolve().parents[2] / "deploy" / "ruleset.yaml"
"""The ruleset that comes along."""

_LOOK_S = 0.5


@dataclass(frozen=True)
class Plan:
    """What to play, and with how much.

    ``recording`` goes first, as fast as the broker takes it; then about ``events`` events of the shop that ``seed``
    makes, ``rate`` a second.
    """

    recording: Recording | None
    events: int
    rate: float
    seed: int
    workers: int
    settings: Settings

    @property
    def ruleset(self) -> Path:
        """The file of the ruleset in force: that of the settings, else the starter ruleset."""
        return self.settings.ruleset or STARTER


@dataclass(frozen=True)
class Ended:
    """What was played, and what came of it."""

    played: Played
    outcome: Outcome


def run(plan: Plan, screen: Screen) -> Ended:
    """Play the plan on a broker and workers of its own, which are gone afterwards.

    Raises:
        UsageProblem, DevelopmentBrokerError, WorkerEnded: it could not go on; the logs then stay.
        KeyboardInterrupt: it was interrupted, or told to end.
    """
    with signals_in_order(), workplace(screen) as folder:
        screen.say("starting Kafka")
        with DevelopmentBroker(folder / "kafka") as broker:
            asyncio.run(create_topics(broker.address, catalogue(plan.settings.partitions)))
            screen.say(f"starting {plan.workers} worker{'s' if plan.workers > 1 else ''}")
            models = plan.settings.model_repository
            own = {"SLUICE_RULESET": str(plan.ruleset.absolute())}
            with workers(broker.address, folder, plan.workers, models, own) as started, screen.live() as show:
                return asyncio.run(_play(plan, broker.address, started, show))


async def _play(plan: Plan, broker: str, started: Sequence[Worker], show: Show) -> Ended:
    played = Played()
    async with Watch(broker, plan.settings.partitions) as watch:
        for title, events, pace in _acts(plan, played):
            playing = asyncio.create_task(send(events, broker, pace=pace))
            try:
                await _until_processed(playing, watch, started, partial(show, title))
            finally:
                playing.cancel()
    return Ended(played, await outcome(broker, plan.settings.partitions))


def _acts(plan: Plan, played: Played) -> Iterator[tuple[str, Iterable[RecordedBatch], Pace | None]]:
    """What is played one after the other: its title, the events, and their pace."""
    if plan.recording is not None:
        yield "recorded events, as fast as possible", played.recorded(plan.recording), None
    title = f"simulated shop, {plan.rate:,.0f} events a second"
    yield title, played.shop(plan.seed, plan.events), RatePace(plan.rate)


async def _until_processed(
    playing: "asyncio.Task[int]", watch: Watch, started: Sequence[Worker], show: Callable[[Standing], None]
) -> None:
    """Until everything is sent, and everything that was sent is committed as processed."""
    while True:
        for worker in started:
            worker.check()
        sent_all = playing.done()
        if sent_all:
            playing.result()
        standing = await watch.look()
        show(standing)
        if sent_all and standing.left == 0:
            return
        await asyncio.wait([playing], timeout=_LOOK_S) if not sent_all else await asyncio.sleep(_LOOK_S / 5)


@contextmanager
def workplace(screen: Screen) -> Iterator[Path]:
    """A temporary folder; it stays where something failed, for the logs in it."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-demo-"))
    keep = False
    try:
        yield folder
    except UsageProblem:
        raise
    except Exception:
        keep = True
        screen.say(f"the logs of Kafka and the workers are in {folder}")
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def signals_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does: nothing that it started must outlive it."""
    taken = [signal.SIGTERM, signal.SIGHUP]
    before = [signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT)) for number in taken]
    try:
        yield
    finally:
        for number, handler in zip(taken, before, strict=True):
            signal.signal(number, handler)
