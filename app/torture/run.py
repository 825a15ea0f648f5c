"""A run: broker, workers, load, faults, and the verdict."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.reading import ends
from app.kafka.topics import catalogue, create_topics
from app.ops.settings import Guarantee, load_settings
from app.torture.faults import Fault, faults
from app.torture.group import Group
from app.torture.killer import PATIENCE_S, Done, Killer, NoProgress
from app.torture.memory import Memory
from app.torture.producing import Producing
from app.torture.verdict import Findings, look
from app.torture.visits import Load, Visits
from app.torture.workers import GROUP, VICTIM, VictimWorker
from app.worker.run import load_models
from schemas.topics import INPUTS

PARTITIONS, WORKERS = 8, 3
_LEAST_BATCH = 100
_END_S = 180.0
_STOP_S = 40.0
_POLL_S = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
        minutes: of faults under load; beginning and verdict come on top.
        seed: fixes load and faults.
        guarantee: of the workers.
        rate: events a second.
        command: of a worker.
        faults: in the place of the seed's; the part under load ends after them.
    """

    minutes: float
    seed: int
    guarantee: Guarantee
    rate: int
    command: Sequence[str] = VICTIM
    faults: Sequence[Fault] = ()

    @property
    def batch(self) -> int:
        """Most records of a batch: of a second, so that what a crash may have repeated is a bound worth its name."""
        return max(_LEAST_BATCH, self.rate)


@dataclass
class Ended:
    """How the part under load went."""

    faults: list[Done]
    ended: list[str]
    stuck: str | None
    unread: int
    memory: Memory
    acknowledged: Counter[str]


def torture(plan: Plan, say: Say) -> dict[str, Any]:
    """Do it; the figures, among them ``verdict``. Where it fails, logs and data stay and ``logs`` says where."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-torture-"))
    with DevelopmentBroker(folder / "kafka") as broker:
        found = asyncio.run(_torture(plan, folder, broker, say))
    if found["verdict"] == "fail":
        return found | {"logs": str(folder)}
    shutil.rmtree(folder)
    return found


async def _torture(plan: Plan, folder: Path, broker: DevelopmentBroker, say: Say) -> dict[str, Any]:
    await create_topics(broker.address, catalogue(PARTITIONS))
    names = [f"worker-{number}" for number in range(1, WORKERS + 1)]
    workers = [VictimWorker(broker.address, folder, name, plan.guarantee, plan.batch, plan.command) for name in names]
    try:
        ended = await _under_load(plan, folder, broker, workers, say)
    finally:
        for worker in workers:
            worker.close()
    settings = load_settings(drift_window_ms=0)
    findings = await look(broker, folder / "state", load_models(settings), settings, PARTITIONS, say)
    return figures(plan, ended, findings)


async def _under_load(
    plan: Plan, folder: Path, broker: DevelopmentBroker, workers: Sequence[VictimWorker], say: Say
) -> Ended:
    group, memory = Group(broker.address, GROUP), Memory()
    killer = Killer(broker, workers, group, PARTITIONS)
    producing = Producing(broker.address, Visits(Load(plan.rate, PARTITIONS), plan.seed), plan.rate)
    for worker in workers:
        worker.start()
    sampling, sending = asyncio.create_task(memory.watch(workers)), asyncio.create_task(producing.run())
    stuck, unread = None, 0
    try:
        say(f"logs and data are in {folder}")
        say(f"{plan.rate:,} events a second, {len(workers)} workers, faults for {plan.minutes:g} minutes")
        chosen = plan.faults or faults(plan.seed, len(workers))
        await killer.run(chosen, time.monotonic() + plan.minutes * 60)
        say("waiting until the group has read to the end")
        producing.finish()
        await asyncio.wait([sending])
        unread = await _until_read(broker.address, group, killer)
        await _stop(workers, killer)
        await _until_empty(group)
    except NoProgress as problem:
        stuck = str(problem)
    finally:
        sampling.cancel()
        sending.cancel()
        await asyncio.wait([sampling, sending])
        await group.close()
    if not sending.cancelled() and (failure := sending.exception()) is not None:
        stuck = f"the load ended early: {failure!r}"
    return Ended(killer.done, killer.ended, stuck, unread, memory, producing.acknowledged)


async def _until_read(broker: str, group: Group, killer: Killer) -> int:
    """Wait until the group has committed every input; the inputs it has not, if it takes too long."""
    wanted = await ends(broker, [topic.name for topic in INPUTS], PARTITIONS)
    deadline = time.monotonic() + _END_S
    while True:
        killer.restart_ended()
        committed = await group.committed() or {}
        unread = sum(end - committed.get(tp, 0) for tp, end in wanted.items())
        if unread == 0 or time.monotonic() > deadline:
            return unread
        await asyncio.sleep(_POLL_S)


async def _stop(workers: Sequence[VictimWorker], killer: Killer) -> None:
    for worker in workers:
        worker.send(signal.SIGTERM)
    for worker in workers:
        if (code := await asyncio.to_thread(worker.wait, _STOP_S)) != 0:
            killer.ended.append(f"{worker.instance} ended with {code} when it was told to stop")


async def _until_empty(group: Group) -> None:
    """Static members are in it until their session is over."""
    deadline = time.monotonic() + PATIENCE_S
    while not await group.is_empty():
        if time.monotonic() > deadline:
            raise NoProgress("the group is not empty although all workers have ended")
        await asyncio.sleep(_POLL_S)


def figures(plan: Plan, ended: Ended, findings: Findings) -> dict[str, Any]:
    """What is reported."""
    counts = findings.counts
    kills = Counter(done.fault.name for done in ended.faults)
    unreached = Counter(done.fault.name for done in ended.faults if not done.reached)
    sent, read = ended.acknowledged.total(), findings.inputs.total()
    most_repeated = 0 if plan.guarantee == "exactly_once" else sum(kills.values()) * plan.batch
    checks: dict[str, dict[str, Any]] = {
        "inputs_read_to_the_end": {"passed": ended.stuck is None and ended.unread == 0, "unread": ended.unread},
        "inputs_as_sent": {"passed": sent == read, "sent": sent, "in_the_log": read},
        "outputs_complete": {"passed": counts.lost == 0, "lost": counts.lost},
        "outputs_once": {
            "passed": counts.duplicated <= most_repeated,
            "duplicated": counts.duplicated,
            "allowed": most_repeated,
        },
        "outputs_equal_reference": {"passed": counts.different == 0, "different": counts.different},
        "outputs_in_order": {"passed": counts.reordered == 0, "reordered": counts.reordered},
        "sessions_as_they_say": {"passed": counts.wrong_sessions == 0, "wrong": counts.wrong_sessions},
        "fenced_stay_silent": {"passed": not findings.fences, "faults": len(findings.fences)},
        "state_three_ways": {"passed": not findings.state, "faults": len(findings.state)},
        "recovery_bounded": {"passed": ended.stuck is None, "bound_s": PATIENCE_S},
    }
    passed = all(check["passed"] for check in checks.values())
    examples = {kind: found for kind, found in counts.examples.items() if found}
    examples |= {kind: found[:5] for kind, found in (("state", findings.state), ("fences", findings.fences)) if found}
    return {
        "seed": plan.seed,
        "minutes": plan.minutes,
        "guarantee": plan.guarantee,
        "rate": plan.rate,
        "kills": sum(kills.values()),
        "kills_by_kind": dict(sorted(kills.items())),
        "windows_not_reached": dict(unreached),
        "inputs": read,
        "outputs": dict(sorted(counts.outputs.items())),
        "lost": counts.lost,
        "duplicated": counts.duplicated,
        "reordered": counts.reordered,
        "state_equal": not findings.state,
        "checks": checks,
        "recovery_s": _recovery_s(ended.faults),
        "ended_by_themselves": ended.ended,
        "rss_mb": ended.memory.figures(),
        "examples": examples,
        "stuck": ended.stuck,
        "verdict": "pass" if passed else "fail",
    }


def _recovery_s(faults: Sequence[Done]) -> dict[str, Any]:
    """Seconds from a fault until every partition was committed further; of the broker's, from its return."""
    found = sorted((done.recovery_s, done.fault.name) for done in faults)
    if not found:
        return {}
    longest = {name: round(seconds, 2) for seconds, name in found}  # the last of each name is its longest
    return {"p50": round(found[len(found) // 2][0], 2), "p100": round(found[-1][0], 2), "longest": longest}
