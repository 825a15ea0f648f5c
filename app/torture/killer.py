"""Applies faults, each only after proven progress since the last, and tells how long the group took to go on."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from app.kafka.devbroker import DevelopmentBroker
from app.torture.faults import Fault
from app.torture.group import Group, Offsets
from app.torture.victim import DRAIN, RECOVERY, TAKEOVER
from app.torture.workers import SESSION_TIMEOUT_MS, VictimWorker
from schemas.topics import CLICKSTREAM

PATIENCE_S = 60.0
"""Within this every partition that has input must have committed more; else the run has failed."""

_OVER_S = SESSION_TIMEOUT_MS / 1000 + 2.5
"""A worker silent for so long has lost its session."""

_WINDOW_S = 12.0
_POLL_S = 0.1

log = structlog.get_logger(__name__)


class NoProgress(Exception):
    """For `PATIENCE_S` the group or the broker did not do what it must: the message says what."""


@dataclass(frozen=True, slots=True)
class Done:
    """A fault as it was done.

    Attributes:
        at_s: when, from the start of the run.
        reached: whether the worker was caught in the window; if it never came by, it was caught anywhere.
        recovery_s: from the fault (of the broker: from its return) until every partition had committed more.
    """

    fault: Fault
    at_s: float
    reached: bool
    recovery_s: float


class Killer:
    """Does what the faults say.

    Args:
        broker: of the run.
        workers: of the group.
        group: tells what is committed.
        partitions: of every input topic.
        spares_after_s: seconds after which the last worker is spared; None: never.
    """

    def __init__(
        self,
        broker: DevelopmentBroker,
        workers: Sequence[VictimWorker],
        group: Group,
        partitions: int,
        spares_after_s: float | None = None,
    ) -> None:
        self._broker = broker
        self._workers = workers
        self._targets = workers
        self._spares_after_s = spares_after_s
        self._group = group
        self._clicks = [(CLICKSTREAM, number) for number in range(partitions)]
        self._away: set[str] = set()  # instances that are down on purpose
        self.done: list[Done] = []
        self.ended: list[str] = []
        """Workers that ended by themselves; they were started again."""

    async def run(self, faults: Iterable[Fault], until: float) -> None:
        """One fault after the other, until the monotonic clock shows ``until``.

        Raises:
            NoProgress: the group stood still.
        """
        started = time.monotonic()
        await self.until_progress({})
        for fault in faults:
            if fault.settled:
                await self._until_settled()
            await asyncio.sleep(fault.wait_s)
            if time.monotonic() > until:
                return
            at_s = time.monotonic() - started
            if self._spares_after_s is not None and at_s > self._spares_after_s:
                self._targets = self._workers[:-1]
            target = self._target(fault).instance
            log.info("a fault", fault=fault.name, worker=target, wipes=fault.wipes, returns=fault.returns)
            before, struck, reached, aftermath = await self._do(fault)
            _, moved = await asyncio.gather(aftermath, self.until_progress(before))
            log.info("all partitions go on", after_s=round(moved - struck, 2), reached=reached)
            self.done.append(Done(fault, at_s, reached, moved - struck))
            await self.until_progress(await self._committed())

    async def until_progress(self, before: Offsets) -> float:
        """Wait until every partition has committed more than ``before``; the time when it had.

        Raises:
            NoProgress: it takes too long.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.restart_ended()
            now = await self._group.committed() or {}
            behind = [tp for tp in self._clicks if now.get(tp, 0) <= before.get(tp, 0)]
            if not behind:
                return time.monotonic()
            if time.monotonic() > deadline:
                raise NoProgress(f"{behind} not committed beyond {[before.get(tp, 0) for tp in behind]}")
            await asyncio.sleep(_POLL_S)

    async def _until_settled(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not await self._group.is_settled(len(self._workers)):
            self.restart_ended()
            if time.monotonic() > deadline:
                raise NoProgress("the group does not settle: not every worker gets partitions")
            await asyncio.sleep(_POLL_S)

    async def _do(self, fault: Fault) -> tuple[Offsets, float, bool, Awaitable[None]]:
        """Do it; what was committed then, when that was, whether the window was reached, and what follows."""
        worker = self._target(fault)
        if fault.kind == "broker":
            return await self._kill_broker()
        if fault.kind == "terminate":
            return await self._terminate(fault, worker)
        reached = await self._catch(fault, worker)
        before, struck = await self._committed(), time.monotonic()
        if fault.kind == "kill":
            worker.kill()
            return before, struck, reached, self._return(fault, worker)
        return before, struck, reached, self._awake(worker)

    async def _catch(self, fault: Fault, worker: VictimWorker) -> bool:
        """Have the worker stopped in the window, or, where it does not come by, anywhere."""
        if fault.window is None:
            worker.send(signal.SIGSTOP)
            return True
        worker.arm(fault.window)
        other = self._target(fault, 1)
        if fault.window == RECOVERY:
            worker.kill()
            worker.wipe()
            worker.start()
        elif fault.window in (DRAIN, TAKEOVER):
            other.kill()  # the group changes when its session is over
        reached = await self._stops(worker)
        worker.disarm()
        if not reached:
            worker.send(signal.SIGSTOP)
        if not other.is_running:
            other.start()
        return reached

    def _target(self, fault: Fault, after: int = 0) -> VictimWorker:
        """The worker that a fault is for, or one ``after`` it, among those that are not spared."""
        return self._targets[(fault.target + after) % len(self._targets)]

    async def _stops(self, worker: VictimWorker) -> bool:
        deadline = time.monotonic() + _WINDOW_S
        while time.monotonic() < deadline:
            if worker.is_stopped:
                return True
            await asyncio.sleep(_POLL_S / 2)
        return False

    async def _return(self, fault: Fault, worker: VictimWorker) -> None:
        if fault.wipes:
            worker.wipe()
        self._away.add(worker.instance)
        if not fault.returns:
            await asyncio.sleep(_OVER_S)
        worker.start()
        self._away.discard(worker.instance)

    async def _awake(self, worker: VictimWorker) -> None:
        await asyncio.sleep(_OVER_S)
        worker.send(signal.SIGCONT)

    async def _terminate(self, fault: Fault, worker: VictimWorker) -> tuple[Offsets, float, bool, Awaitable[None]]:
        before, struck = await self._committed(), time.monotonic()
        worker.send(signal.SIGTERM)
        code = await asyncio.to_thread(worker.wait, PATIENCE_S)
        if code != 0:
            self.ended.append(f"{worker.instance} ended with {code} when it was told to stop")
        return before, struck, True, self._return(fault, worker)

    async def _kill_broker(self) -> tuple[Offsets, float, bool, Awaitable[None]]:
        before = await self._committed()
        await asyncio.to_thread(self._broker.kill)
        await asyncio.to_thread(self._broker.start)
        return before, time.monotonic(), True, asyncio.sleep(0)

    async def _committed(self) -> Offsets:
        deadline = time.monotonic() + PATIENCE_S
        while (offsets := await self._group.committed()) is None:
            if time.monotonic() > deadline:
                raise NoProgress("the broker does not say what is committed")
            await asyncio.sleep(_POLL_S)
        return offsets

    def restart_ended(self) -> None:
        """Start again who ended by himself, as a supervisor would."""
        for worker in self._workers:
            if not worker.is_running and worker.instance not in self._away:
                code = worker.wait(0)
                log.warning("a worker ended by itself", worker=worker.instance, code=code)
                self.ended.append(f"{worker.instance} ended with {code}")
                worker.start()
