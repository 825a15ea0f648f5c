"""From an order's append to that of its risk event, through a worker with the starter rules and their velocities.

python -m tests.benchmarks.bench_decisions [ORDERS_PER_SECOND [SECONDS]]

One worker, at least once: outputs are appended as soon as they are decided. Prints p50, p90, p99 and
the greatest in ms after a warm-up, and how many orders went at the deadline.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.bench.worker_process import running
from app.kafka.devbroker import DevelopmentBroker
from app.kafka.partition import partition_of
from app.kafka.topics import catalogue, create_topics
from schemas.topics import ORDERS, RISK_EVENTS

PARTITIONS, USERS, DEVICES, CARDS = 4, 4_000, 3_000, 4_000
WARM_UP_S, START_S, PATIENCE_S = 5, 12, 60
RULESET = Path(__file__).resolve().parents[2] / "deploy" / "ruleset.yaml"


def order(number: int, random: np.random.Generator) -> tuple[str, dict[str, Any]]:
    """An order of a random user, device and card."""
    user = f"u{random.integers(USERS)}"
    return user, {
        "event_id": f"e{number}",
        "type": "order_placed",
        "ts": time.time_ns() // 1_000_000,
        "order_id": f"o{number}",
        "user_id": user,
        "value": round(float(random.gamma(2, 40)) + 1, 2),
        "currency": "EUR",
        "device_id": f"d{random.integers(DEVICES)}",
        "card_hash": f"c{random.integers(CARDS)}",
        "ip": f"10.{random.integers(4)}.{random.integers(250)}.{random.integers(250)}",
    }


async def paced(broker: str, rate: int, seconds: int) -> None:
    """Send so many orders a second."""
    random, encode = np.random.default_rng(1), msgspec.json.Encoder().encode
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        begun = time.monotonic()
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            user, value = order(number, random)
            key = user.encode()
            await producer.send(ORDERS, encode(value), key=key, partition=partition_of(key, PARTITIONS))


async def appended(broker: str, topic: str, name: str, count: int) -> dict[str, tuple[int, bool]]:
    """By order's event id when its record of a topic was appended (ms), and whether it says that it is partial."""
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    found: dict[str, tuple[int, bool]] = {}
    async with AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest") as consumer:
        consumer.assign(places)
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        body = json.loads(record.value)
                        found[body[name]] = record.timestamp, bool(body.get("partial"))
    return found


async def measure(broker: str, rate: int, seconds: int) -> dict[str, object]:
    """Send orders to a worker that runs, and tell how long they took."""
    await asyncio.sleep(START_S)
    await paced(broker, rate, seconds + WARM_UP_S)
    count = rate * (seconds + WARM_UP_S)
    placed, judged = (
        await appended(broker, ORDERS, "event_id", count),
        await appended(broker, RISK_EVENTS, "source_event_id", count),
    )
    begun = min(at for at, _ in placed.values()) + WARM_UP_S * 1_000
    late = [id_ for id_, (at, _) in placed.items() if at >= begun]
    p50, p90, p99, most = np.percentile([judged[id_][0] - placed[id_][0] for id_ in late], [50, 90, 99, 100]).tolist()
    partial = sum(judged[id_][1] for id_ in late)
    return {"rate": rate, "orders": len(late), "p50": p50, "p90": p90, "p99": p99, "max": most, "partial": partial}


def main(rate: int = 1_000, seconds: int = 15) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as name, DevelopmentBroker(Path(name) / "kafka") as kafka:
        asyncio.run(create_topics(kafka.address, catalogue(PARTITIONS)))
        flags = ["--guarantee", "at_least_once", "--ruleset", str(RULESET)]
        with running(kafka.address, Path(name) / "worker", flags):
            found = asyncio.run(measure(kafka.address, rate, seconds))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
