"""The benchmark from an empty broker to its figures."""

import asyncio
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from app.bench.latency import measure
from app.bench.worker_process import run_to_end, running
from app.kafka.devbroker import DevelopmentBroker
from app.kafka.topics import catalogue, create_topics
from app.ops.versions import versions
from app.replay.load import ZIPF_EXPONENT, load, top_user_share
from app.replay.send import send

PARTITIONS = 4
USERS = 50_000
RATES = (1_000, 5_000)

Say = Callable[[str], None]


def bench(events: int, seconds: int, flags: list[str], guarantee: str, say: Say) -> dict[str, Any]:
    """Throughput over a backlog of ``events``, then latency at each rate for ``seconds``.

    Args:
        flags: for the workers.
        guarantee: the one they run under.
        say: told what goes on.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        root = Path(folder)
        with DevelopmentBroker(root / "kafka") as broker:
            asyncio.run(create_topics(broker.address, catalogue(PARTITIONS)))
            say(f"sending a backlog of {events:,} events of {USERS:,} users")
            asyncio.run(send(load(events, USERS, seed=1), broker.address))
            say("processing it")
            figures = run_to_end(broker.address, root / "worker", flags)
            until_seen = guarantee == "exactly_once"
            latency = _latency(broker.address, root / "worker", seconds, flags, until_seen, say) if seconds else {}
    return {
        "events": figures["events_in"],
        "events_per_cpu_second": round(figures["events_in"] / figures["cpu_seconds"]),
        "events_per_second": figures["events_per_second"],
        "guarantee": guarantee,
        "cpu_seconds": figures["cpu_seconds"],
        "rss_mb": figures["rss_mb"],
        "latency_ms": latency,
        "load": {
            "users": USERS,
            "zipf_exponent": ZIPF_EXPONENT,
            "top_user_share": top_user_share(USERS, ZIPF_EXPONENT),
        },
        "versions": versions(),
        "machine": machine(),
    }


def _latency(broker: str, folder: Path, seconds: int, flags: list[str], until_seen: bool, say: Say) -> dict[str, Any]:
    found = {}
    with running(broker, folder, flags):
        for run, rate in enumerate(RATES):
            say(f"measuring latency at {rate:,} events a second for {seconds} s")
            found[str(rate)] = asyncio.run(measure(broker, rate, seconds, run, until_seen))
    return found


def machine() -> dict[str, Any]:
    """What it ran on."""
    memory = psutil.virtual_memory().total
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
    }


def _processor() -> str:
    """The processor's name where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
