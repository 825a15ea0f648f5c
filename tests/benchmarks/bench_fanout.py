"""The fan-out over a real Kafka: the handbook's features with two processes against polars, and latency.

python -m tests.benchmarks.bench_fanout exact [BATCHES]
python -m tests.benchmarks.bench_fanout latency [ORDERS_PER_SECOND SECONDS]
python -m tests.benchmarks.bench_fanout recovery [BATCHES]   (in process, without a broker)
"""

import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from aiokafka import AIOKafkaProducer
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from app.fanout import snapshot
from app.fanout.joiner import Joiners
from app.fanout.merger import Merger
from app.fanout.messages import AskBatch
from app.fanout.partition import Resume
from app.fanout.parts import FanOutParts, taken_here
from app.fanout.recovery import ANSWER_AGAIN_MS, Recovering, taken_down
from app.fanout.service import FanOut, FanOutOptions
from app.features.payments import PAYMENT_INPUTS
from app.kafka.devbroker import DevelopmentBroker
from app.kafka.partition import partitions_of
from app.kafka.topics import Topic, create_topics
from app.ops.metrics import Metrics
from app.replay.fetches import Fetches
from app.replay.recording import open_recording
from app.replay.send import send
from app.velocity.catalogue import CATALOGUE
from app.velocity.definitions import Velocity
from app.velocity.stream import TURNS
from schemas.topics import CLICKSTREAM, LABELS, ORDERS
from tests.benchmarks.bench_velocity import HANDBOOK, PAYMENTS, batch, compared

PARTITIONS = 4
HALVES = ((0, 3), (1, 2))
WATCHED: tuple[Velocity, ...] = (
    *PAYMENT_INPUTS.velocities,
    *(
        velocity
        for velocity in CATALOGUE
        if velocity.aggregate in ("count", "distinct")
        and velocity.entity in ("device", "ip", "card", "email")
        and velocity.window in ("1h", "24h")
    ),
)
"""What a model and some rules would look at."""


class Collected:
    """Orders that went on in one process, with the time at which they did."""

    def __init__(self, count: int, velocities: Sequence[Velocity], deadline: float | None) -> None:
        self.joiners = Joiners(deadline)
        self._count = count
        self._velocities = velocities
        self._next: dict[int, int] = {}
        self._parts: list[tuple[int, int, float]] = []
        self._values: list[NDArray[np.float64]] = []
        self.partial = 0
        self.done = asyncio.Event()

    def take(self, partitions: Collection[int]) -> None:
        now = time.time_ns() / 1e6
        for partition in partitions:
            joiner, first = self.joiners.of(partition), self._next.get(partition, 0)
            offsets = np.arange(first, joiner.asked_to)
            offsets = offsets[: joiner.ready(offsets, time.monotonic(), is_live=True)]
            joined = joiner.take(offsets, self._velocities)
            known = ~np.isnan(joined.values).all(axis=1)  # what does not decode is asked about by nobody
            self._parts += [(partition, offset, now) for offset in offsets[known].tolist()]
            self._values += list(joined.values[known])
            self.partial += int(joined.partial.sum())
            self._next[partition] = first + len(offsets)
            joiner.through(first + len(offsets))
        if len(self._parts) >= self._count:
            self.done.set()

    def save(self, path: Path) -> None:
        names = np.array(self._parts)
        np.savez(path, names=names, values=np.array(self._values), partial=self.partial)


def worker(
    broker: str, mine: tuple[int, ...], velocities: Sequence[Velocity], count: int, path: Path, deadline: float | None
) -> None:
    """One process: it runs until ``count`` orders have gone on, and a little longer for the other's sake."""

    async def run() -> None:
        collected = Collected(count, velocities, deadline)
        options = FanOutOptions(broker, "bench", PARTITIONS, path.with_suffix(""))
        metrics = Metrics(CollectorRegistry())
        service = FanOut(options, velocities, collected.joiners, collected.take, metrics)
        service.assign(dict.fromkeys(mine, 0))
        task = asyncio.create_task(service.run())
        waiting = asyncio.create_task(collected.done.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        collected.save(path)
        while path.with_name("stop").exists() is False:
            await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())


def topics() -> list[Topic]:
    """The inputs."""
    stamped = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(16 << 20)}
    return [Topic(name, PARTITIONS, dict(stamped)) for name in (CLICKSTREAM, ORDERS, LABELS)]


def run_workers(
    broker: str,
    folder: Path,
    velocities: Sequence[Velocity],
    counts: Sequence[int],
    deadline: float | None,
    shares: Sequence[tuple[int, ...]],
) -> list[multiprocessing.process.BaseProcess]:
    """Start a process for each share of the partitions."""
    context = multiprocessing.get_context("spawn")
    started: list[multiprocessing.process.BaseProcess] = []
    for number, mine in enumerate(shares):
        own = sum(counts[partition] for partition in mine)
        arguments = (broker, mine, velocities, own, folder / f"{number}.npz", deadline)
        process = context.Process(target=worker, args=arguments)
        process.start()
        started.append(process)
    return started


def saved(folder: Path, processes: Sequence[multiprocessing.process.BaseProcess], patience: float) -> list[Path]:
    """Wait for every process's file."""
    files = [folder / f"{number}.npz" for number in range(len(processes))]
    until = time.monotonic() + patience
    while not all(file.exists() for file in files):
        if time.monotonic() > until or any(process.exitcode for process in processes):
            raise AssertionError("a process did not come to its end")
        time.sleep(0.2)
    time.sleep(2)  # the last file is being written
    (folder / "stop").touch()
    for process in processes:
        process.join(30)
    return files


def exact(batches: int | None) -> dict[str, object]:
    """Every payment's features through Kafka, compared with polars."""
    places: dict[tuple[int, int], int] = {}
    counts = [0] * PARTITIONS
    fetches = Fetches(PARTITIONS)
    for recorded in islice(open_recording([PAYMENTS], "payments-handbook"), batches):
        for fetched in fetches.of(recorded):
            if fetched.topic == ORDERS:
                for offset, value in zip(fetched.offsets, fetched.values, strict=True):
                    order = msgspec.json.decode(value or b"")
                    if order["value"] > 0:
                        places[fetched.partition, offset] = int(order["order_id"])
                        counts[fetched.partition] += 1
    with tempfile.TemporaryDirectory(prefix="sluice-fanout-") as name, DevelopmentBroker(Path(name) / "kafka") as kafka:
        folder = Path(name)
        asyncio.run(create_topics(kafka.address, topics()))
        asyncio.run(send(islice(open_recording([PAYMENTS], "payments-handbook"), batches), kafka.address))
        begun = time.monotonic()
        processes = run_workers(kafka.address, folder, HANDBOOK, counts, None, HALVES)
        files = [np.load(file) for file in saved(folder, processes, 3_000)]
        seconds = time.monotonic() - begun
    names = np.concatenate([file["names"] for file in files])
    values = np.concatenate([file["values"] for file in files])
    ids = np.array([places[int(partition), int(offset)] for partition, offset, _ in names])
    payments = pl.read_parquet(PAYMENTS).filter(pl.col("TX_AMOUNT") > 0).cast({"TRANSACTION_ID": pl.Int64})
    expected = pl.DataFrame({"TRANSACTION_ID": ids}).join(batch(payments), on="TRANSACTION_ID", maintain_order="left")
    found = compared(HANDBOOK, values, expected, seconds, 0.0)
    return vars(found) | {"expected_rows": len(places), "distinct_rows": len(set(ids.tolist()))}


def latency(rate: int, seconds: int) -> dict[str, object]:
    """From an order's append to its velocities, at a steady rate, with one process."""
    with tempfile.TemporaryDirectory(prefix="sluice-fanout-") as name, DevelopmentBroker(Path(name) / "kafka") as kafka:
        folder = Path(name)
        asyncio.run(create_topics(kafka.address, topics()))
        users = [f"u{number}" for number in range(4_000)]
        plan = np.random.default_rng(1).integers(0, len(users), rate * seconds)
        counts = np.bincount(partitions_of([users[i].encode() for i in plan], PARTITIONS), minlength=PARTITIONS)
        processes = run_workers(kafka.address, folder, WATCHED, counts.tolist(), 0.25, [tuple(range(PARTITIONS))])
        time.sleep(8)
        appended = asyncio.run(_paced(kafka.address, [users[i] for i in plan], rate))
        files = [np.load(file) for file in saved(folder, processes, 120)]
    warm = min(appended.values()) + 5_000
    waits = [
        at - appended[int(partition), int(offset)]
        for file in files
        for partition, offset, at in file["names"]
        if appended[int(partition), int(offset)] >= warm
    ]
    p50, p90, p99 = np.percentile(waits, [50, 90, 99]).round(1).tolist()
    partial = sum(int(file["partial"]) for file in files)
    return {"rate": rate, "orders": len(waits), "p50": p50, "p90": p90, "p99": p99, "partial": partial}


async def _paced(broker: str, users: Sequence[str], rate: int) -> dict[tuple[int, int], int]:
    """Orders of ``users`` in turn, so many a second; their append times in ms by partition and offset."""
    random = np.random.default_rng(2)
    sent = []
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        begun = time.monotonic()
        for number, user in enumerate(users):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            value = {
                "event_id": f"e{number}",
                "type": "order_placed",
                "ts": time.time_ns() // 1_000_000,
                "order_id": f"o{number}",
                "user_id": user,
                "value": round(float(random.gamma(2, 40)) + 1, 2),
                "currency": "EUR",
                "device_id": f"d{random.integers(5_000)}",
                "ip": f"10.0.{random.integers(20)}.{random.integers(250)}",
                "card_hash": f"c{random.integers(5_000)}",
                "email_hash": f"m{random.integers(4_000)}",
                "merchant_id": f"t{random.integers(200)}",
            }
            sent.append(await producer.send(ORDERS, msgspec.json.encode(value), user.encode()))
        written = await asyncio.gather(*sent)
    return {(at.partition, at.offset): at.timestamp for at in written}


def recovery(batches: int) -> dict[str, object]:
    """One partition of the handbook brought back: from its topic, with and without answers, and from a snapshot."""
    parts = FanOutParts((), PARTITIONS, HANDBOOK, Joiners(None), max_idle=0)
    for number in range(PARTITIONS):
        parts.owners.mergers[number] = Merger(PARTITIONS)
        parts.begin(number, 0, Resume())
    log: list[tuple[int, int, AskBatch]] = []
    fetches = Fetches(PARTITIONS)
    for recorded in islice(open_recording([PAYMENTS], "payments-handbook"), batches):
        for fetched in fetches.of(recorded):
            if fetched.topic in TURNS:
                parts.partitions[fetched.partition].feed(fetched)
        messages = parts.asks(lambda number, topic: 0, 0)
        mine = [AskBatch.decoded(message.value) for message in messages if message.partition == 0]
        log += [(len(log) + at, 1, batch) for at, batch in enumerate(mine)]
        parts.answers(taken_here(messages, 1), 1)
        for part in parts.partitions.values():
            part.joiner.through(part.resume.orders)
    found: dict[str, object] = {}
    for name, log_end_ms in (("rows_per_second", 2 * ANSWER_AGAIN_MS), ("rows_per_second_answered", 0)):
        begun = time.process_time()
        back = Recovering(FanOutParts((), PARTITIONS, HANDBOOK, Joiners(None)), 0, None, log_end_ms)
        for start in range(0, len(log), 64):
            back.add(log[start : start + 64])
        found[name] = round(back.rows / (time.process_time() - begun))
        found["rows"] = back.rows
    with tempfile.TemporaryDirectory(prefix="sluice-fanout-") as name:
        path, begun = snapshot.path(Path(name), 0), time.process_time()
        taken = taken_down(parts, 0, len(log))
        copied = time.process_time()
        snapshot.write(path, taken)
        written = time.process_time()
        Recovering(FanOutParts((), PARTITIONS, HANDBOOK, Joiners(None)), 0, snapshot.read(path, 0, len(log)), 0)
        read = time.process_time()
        found |= {"snapshot_mb": round(path.stat().st_size / 1e6, 1)}
    times = {"copy_s": copied - begun, "write_s": written - copied, "from_snapshot_s": read - written}
    return found | {key: round(value, 3) for key, value in times.items()}


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[2:]]
    modes = {
        "exact": lambda: exact(numbers[0] if numbers else None),
        "recovery": lambda: recovery(*(numbers or [1_000])),
    }
    result = modes.get(sys.argv[1], lambda: latency(*(numbers or [1_000, 20])))()
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
