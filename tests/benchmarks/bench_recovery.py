"""How long it takes to bring a million sessions back, from the changelog alone and with a warm local store.

python -m tests.benchmarks.bench_recovery [SESSIONS] [PARTITIONS]

A broker of its own gets the rows that the path makes of one event of each user, scored by the committed models; one
in 21 is an order, which opens no session, so there are 5 % more rows than sessions. Each recovery is a process of its
own, into the table of a running worker's path. Prints one JSON object: seconds on the wall and of CPU, MiB the
process had before and at most, bytes of memory per live session once recovered.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaProducer

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.options import TransportOptions
from app.kafka.producer import Send, build_batches
from app.ops.settings import load_settings
from app.state.changelog import Changelog, ensure_changelog
from app.state.columns import Change
from app.state.partition_rows import PartitionRows
from app.state.recovery import recover
from app.state.store import Stores
from app.worker.assembly import build_pipeline
from app.worker.run import load_models
from tests.benchmarks.bench_scale import Worker, crowd, in_turn

_OPTIONS = TransportOptions()
_TOPIC = "bench-sessions-changelog"
_MIB = 1 << 20


def changes(sessions: int, partitions: int) -> Iterable[Change]:
    """The rows of users after an event of each, step by step, until so many sessions are open."""
    settings = load_settings(partitions=partitions, max_idle_ms=0)
    users = -(-sessions * 21 // 20)
    worker = Worker(settings, load_models(settings), crowd(users, in_turn), partitions)
    while len(worker.pipeline.state.table) < users:
        worker.step()
        yield from worker.changes


async def fill(broker: str, topic: str, sessions: int, partitions: int) -> int:
    """Write the rows as a worker writes them; how many bytes their keys and values have."""
    size = 0
    async with AIOKafkaProducer(bootstrap_servers=broker, max_request_size=_OPTIONS.max_record_bytes) as producer:
        for change in changes(sessions, partitions):
            sent = [
                await producer.send_batch(batch, topic, partition=change.partition)
                for batch in build_batches(_OPTIONS, Send(topic, change.partition, 0, change.keys, change.values))
            ]
            await asyncio.gather(*sent)
            size += sum(map(len, change.keys)) + sum(len(value or b"") for value in change.values)
    return size


async def recover_once(broker: str, folder: Path, sessions: int, changelog: Changelog) -> dict[str, Any]:
    """Bring everything back in this process."""
    process = psutil.Process()
    pipeline = build_pipeline(load_settings(), load_models(load_settings()), changelog.partitions)
    before, cpu = process.memory_info().rss, time.process_time()
    stores, report = await recover(
        range(changelog.partitions),
        Stores(folder, lambda: 0),
        PartitionRows(pipeline.state),
        changelog,
        {"bootstrap_servers": broker},
        now_ms=lambda: 0,
    )
    after = process.memory_info().rss
    opened = sum(open_ for _, open_ in pipeline.state.table.sizes().values())
    assert opened >= sessions, f"{opened} sessions are open"
    for store in stores.values():
        store.close()
    return {
        "seconds": round(report.seconds, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "changelog_records": sum(part.records for part in report.partitions),
        "stored_rows": sum(part.stored for part in report.partitions),
        "open_sessions": opened,
        "rows": len(pipeline.state.table),
        "rss_before_mib": round(before / _MIB),
        "rss_peak_mib": _peak_mib(),
        "bytes_per_session": round((after - before) / opened),
    }


def _peak_mib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) // 1024


def main(sessions: int = 1_000_000, partitions: int = 8) -> None:
    """Start a broker, fill a changelog, recover from it twice and print one JSON object."""
    with tempfile.TemporaryDirectory() as name, DevelopmentBroker(Path(name) / "kafka") as broker:
        changelog = asyncio.run(ensure_changelog(broker.address, _TOPIC, partitions))
        size = asyncio.run(fill(broker.address, changelog.topic, sessions, partitions))
        result: dict[str, Any] = {"sessions": sessions, "partitions": partitions, "changelog_mib": size // _MIB}
        arguments = [broker.address, str(Path(name) / "state"), str(sessions), str(partitions)]
        for disk in ("empty_disk", "warm_disk"):
            command = [sys.executable, "-m", "tests.benchmarks.bench_recovery", "once", *arguments]
            result[disk] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    sys.stdout.write(json.dumps(result) + "\n")


def once(broker: str, folder: str, sessions: str, partitions: str) -> None:
    """One recovery, in a process that `main` started."""
    changelog = asyncio.run(ensure_changelog(broker, _TOPIC, int(partitions)))
    result = asyncio.run(recover_once(broker, Path(folder), int(sessions), changelog))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["once"]:
        once(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
