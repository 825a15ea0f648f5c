"""A run: broker, workers, load, faults, and the verdict."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.reading import ends
from app.kafka.topics import Topic, catalogue, create_topics
from app.torture.faults import faults
from app.torture.figures import Ended, figures
from app.torture.group import Group
from app.torture.killer import PATIENCE_S, Killer, NoProgress
from app.torture.memory import Memory
from app.torture.plan import PARTITIONS, WORKERS, Plan
from app.torture.producing import Producing
from app.torture.stopwatch import takeovers
from app.torture.verdict import look
from app.torture.visits import Load, Visits
from app.torture.workers import GROUP, VictimWorker
from schemas.topics import INPUTS

_SEGMENT_BYTES = 128 << 20  # a broker that was killed reads the last segment of each partition before it serves
_END_S = 180.0
_STOP_S = 40.0
_POLL_S = 0.2
_TELL_S = 60.0

Say = Callable[[str], None]


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
    await create_topics(broker.address, [_in_small_segments(topic) for topic in catalogue(PARTITIONS)])
    names = [f"worker-{number}" for number in range(1, WORKERS + 1)]
    workers = [VictimWorker(broker.address, folder, name, plan.guarantee, plan.batch, plan.command) for name in names]
    try:
        ended = await _under_load(plan, folder, broker, workers, say)
    finally:
        for worker in workers:
            worker.close()
    findings = await asyncio.to_thread(look, broker, folder / "state", PARTITIONS, say)
    return figures(plan, ended, findings)


def _in_small_segments(topic: Topic) -> Topic:
    return replace(topic, config=topic.config | {"segment.bytes": str(_SEGMENT_BYTES)})


async def _under_load(
    plan: Plan, folder: Path, broker: DevelopmentBroker, workers: Sequence[VictimWorker], say: Say
) -> Ended:
    group, memory = Group(broker.address, GROUP), Memory()
    killer = Killer(broker, workers, group, PARTITIONS, plan.spares_after_s)
    producing = Producing(broker.address, Visits(Load(plan.rate, PARTITIONS), plan.seed), plan.rate)
    for worker in workers:
        worker.start()
    sending = asyncio.create_task(producing.run())
    watching = [asyncio.create_task(memory.watch(workers)), asyncio.create_task(_tell(say, producing, killer, workers))]
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
        for task in (*watching, sending):
            task.cancel()
        await asyncio.wait([*watching, sending])
        await group.close()
    if not sending.cancelled() and (failure := sending.exception()) is not None:
        stuck = f"the load ended early: {failure!r}"
    times = takeovers([worker.takeovers for worker in workers])
    return Ended(killer.done, killer.ended, stuck, unread, memory, producing.acknowledged, producing.seconds, times)


async def _tell(say: Say, producing: Producing, killer: Killer, workers: Sequence[VictimWorker]) -> None:
    """Say every minute how far it is, for ever."""
    for minute in count(1):
        await asyncio.sleep(_TELL_S)
        memory = " ".join(f"{worker.rss_mb:.0f}" for worker in workers)
        say(
            f"minute {minute}: {producing.acknowledged.total():,} events sent, {len(killer.done)} faults, "
            f"workers have {memory} MB"
        )


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
