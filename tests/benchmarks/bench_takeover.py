"""How long a killed worker's partitions stand still, with 100,000 live sessions and a disk that is warm.

python -m tests.benchmarks.bench_takeover [SESSIONS] [TIMES]

Real processes and a broker of its own. Two workers share the partitions under 1,000 events a second; sessions last
beyond the run. ``restart``: one gets SIGKILL and is started again at once. ``survivor``: one gets SIGKILL and stays
away; the other, which had all partitions before, takes over when the session has ended. Prints one JSON object: for
each time the seconds from SIGKILL to the first commit in a partition of the dead, and our own part: from the group's
assignment to the first commit of the first and of the last such partition.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.options import TransportOptions
from app.kafka.producer import Send, build_batches
from app.kafka.reading import ends
from app.kafka.topics import catalogue, create_topics
from app.replay.fetches import Fetches
from app.replay.load import Shop
from app.torture.group import Group
from app.torture.stopwatch import Takeover, told
from app.torture.victim import FOLDER, takeovers_file
from schemas.topics import INPUTS

PARTITIONS, RATE, STEP = 8, 1_000, 8_192
_SESSION_TIMEOUT_MS = 6_000
_START_MS, _ROUND_S, _PAUSE_MS = 1_760_000_000_000, 0.1, 180_000
_GROUP = "bench"
_OPTIONS = TransportOptions()


class Crowd:
    """Users who act in turn, so slowly that their sessions stay open."""

    def __init__(self, users: int) -> None:
        self.users = users
        self._shop = Shop.opened(users, 0, np.random.default_rng(0))
        self._fetches = Fetches(PARTITIONS)
        self._events = 0

    async def act(self, producer: AIOKafkaProducer, events: int) -> None:
        """Send the next events."""
        index = np.arange(self._events, self._events + events, dtype=np.int64)
        self._events += events
        times = _START_MS + index * _PAUSE_MS // self.users
        for one in self._fetches.of(self._shop.batch(index, times, index % self.users)):
            send = Send(one.topic, one.partition, _START_MS, list(one.keys), list(one.values))
            for batch in build_batches(_OPTIONS, send):
                await (await producer.send_batch(batch, one.topic, partition=one.partition))

    async def go_on(self, producer: AIOKafkaProducer) -> None:
        """Act for ever."""
        while True:
            await self.act(producer, int(RATE * _ROUND_S))
            await asyncio.sleep(_ROUND_S)


class Process:
    """A worker with a stopwatch."""

    def __init__(self, broker: str, folder: Path, instance: str) -> None:
        windows = folder / "windows" / instance
        windows.mkdir(parents=True)
        self._told = takeovers_file(windows)
        self._log = folder / f"{instance}.log"
        self._command = [sys.executable, "-m", "app.torture.victim", "--broker", broker, "--group", _GROUP]
        self._command += ["--instance", instance, "--state-dir", str(folder / "state"), "--http-port", "0"]
        own = {FOLDER: str(windows), "SLUICE_SESSION_TIMEOUT_MS": str(_SESSION_TIMEOUT_MS)}
        self._environment = os.environ | own
        self.start()

    def start(self) -> None:
        """Start it, with the disk as it is."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)

    def end(self, number: signal.Signals) -> None:
        """Send a signal that ends it."""
        self._process.send_signal(number)
        self._process.wait()

    def takeovers(self) -> list[Takeover]:
        """All so far."""
        return told(self._told)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.05)


async def _until_read(broker: str, group: Group) -> None:
    while True:
        wanted, found = await ends(broker, [topic.name for topic in INPUTS], PARTITIONS), await group.committed() or {}
        if all(found.get(tp, 0) >= end for tp, end in wanted.items()):
            return
        await asyncio.sleep(0.2)


async def _taken_over(process: Process, count: int) -> list[Takeover]:
    """Its takeovers after the first ``count``, once no more have come for a while."""
    await _until(lambda: len(process.takeovers()) > count)
    found = count
    while (now := len(process.takeovers())) != found:
        found = now
        await asyncio.sleep(5)
    return process.takeovers()[count:]


def _figures(killed_at: float, found: Collection[Takeover]) -> dict[str, Any]:
    seconds = [one.seconds for one in found]
    return {
        "partitions": len(seconds),
        "kill_to_first_commit_s": round(min(one.at for one in found) - killed_at, 2),
        "own_first_s": round(min(seconds), 2),
        "own_last_s": round(max(seconds), 2),
    }


async def _settled(group: Group) -> None:
    while not await group.is_settled(2):
        await asyncio.sleep(0.1)
    await asyncio.sleep(3)


async def _kill(dead: Process, taker: Process, restarts: bool) -> dict[str, Any]:
    count = len(taker.takeovers())
    killed_at = time.time()
    dead.end(signal.SIGKILL)
    if restarts:
        dead.start()
    return _figures(killed_at, await _taken_over(taker, count))


@asynccontextmanager
async def _load(broker: str, crowd: Crowd, group: Group) -> AsyncIterator[None]:
    """Everybody has an open session, and some act on."""
    async with AIOKafkaProducer(bootstrap_servers=broker, max_request_size=_OPTIONS.max_record_bytes) as producer:
        for _ in range(0, crowd.users, STEP):
            await crowd.act(producer, STEP)
        await _until_read(broker, group)
        acting = asyncio.create_task(crowd.go_on(producer))
        try:
            yield
        finally:
            acting.cancel()
            await asyncio.wait([acting])


async def measure(broker: str, folder: Path, sessions: int, times: int) -> dict[str, Any]:
    """Everything, with processes that are gone at the end."""
    await create_topics(broker, catalogue(PARTITIONS))
    group, survivor = Group(broker, _GROUP), Process(broker, folder, "survivor")
    victim = None
    found: dict[str, list[dict[str, Any]]] = {"restart": [], "survivor": []}
    try:
        async with _load(broker, Crowd(-(-sessions * 21 // 20)), group):
            victim = Process(broker, folder, "victim")
            for _ in range(times):
                await _settled(group)
                found["restart"].append(await _kill(victim, victim, restarts=True))
                await _settled(group)
                found["survivor"].append(await _kill(victim, survivor, restarts=False))
                victim.start()
    finally:
        for process in (survivor, victim):
            if process is not None:
                process.end(signal.SIGKILL)
        await group.close()
    return {"sessions": sessions, "events_per_s": RATE} | found


def main(sessions: int = 100_000, times: int = 3) -> None:
    """Measure, and print one JSON object."""
    with tempfile.TemporaryDirectory() as name, DevelopmentBroker(Path(name) / "kafka") as broker:
        found = asyncio.run(measure(broker.address, Path(name), sessions, times))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
