"""How long it takes to bring a million rows back, from the changelog and from the local store.

python -m tests.benchmarks.bench_recovery [ROWS] [ROW_BYTES] [PARTITIONS]
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from app.kafka.devbroker import DevelopmentBroker
from app.state.changelog import ensure_changelog
from app.state.recovery import recover
from app.state.store import Stores
from tests.state.columns import DictRows, RowFormat


async def fill(broker: str, topic: str, rows: int, row_bytes: int, partitions: int) -> None:
    """Write one row for each key, in record batches."""
    async with AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=1 << 20) as producer:
        sent: list[Any] = []
        for partition in range(partitions):
            batch = producer.create_batch()
            for number in range(partition, rows, partitions):
                record = {"key": b"user-%08d" % number, "value": b"\x01" + os.urandom(row_bytes - 1), "timestamp": None}
                if batch.append(**record) is None:
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
                    batch = producer.create_batch()
                    batch.append(**record)
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)


async def measure(broker: str, folder: Path, rows: int, row_bytes: int, partitions: int) -> dict[str, Any]:
    """Recover with a fresh disk, then with a warm one."""
    changelog = await ensure_changelog(broker, "bench-sessions-changelog", partitions)
    await fill(broker, changelog.topic, rows, row_bytes, partitions)
    result: dict[str, Any] = {"rows": rows, "row_bytes": row_bytes, "partitions": partitions}
    for disk in ("fresh", "warm"):
        columns = DictRows(RowFormat(1, row_bytes))
        cpu = time.process_time()
        stores, report = await recover(
            range(partitions),
            Stores(folder, lambda: 0),
            columns,
            changelog,
            {"bootstrap_servers": broker},
            now_ms=lambda: 0,
        )
        assert sum(len(columns.of(partition)) for partition in stores) == rows
        result[disk] = {"seconds": round(report.seconds, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
        for store in stores.values():
            store.close()
    return result


def main(rows: int = 1_000_000, row_bytes: int = 500, partitions: int = 8) -> None:
    """Start a broker of its own, measure and print one JSON object."""
    with tempfile.TemporaryDirectory() as folder, DevelopmentBroker(Path(folder) / "kafka") as broker:
        result = asyncio.run(measure(broker.address, Path(folder) / "state", rows, row_bytes, partitions))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
