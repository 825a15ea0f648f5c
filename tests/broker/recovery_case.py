"""A changelog and the disks that it is recovered onto."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from app.state.changelog import Changelog, changelog_topic
from app.state.recovery import Progress, RecoveryReport, recover
from app.state.restoring import PartitionReport
from app.state.store import Stores
from tests.broker import changelogs as log
from tests.state.columns import DictRows, RowFormat

NOW = 1_800_000_000_000
HOUR_MS = 3_600_000
DELETING = {"cleanup.policy": "compact,delete", "retention.ms": "-1"}


class Case:
    """One changelog with one partition, and a disk that lasts over restarts."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.kafka = kafka
        self.folder = folder
        self.topic = changelog_topic(f"test-{uuid.uuid4().hex[:8]}", "sessions")
        self.now = NOW
        self.rows = DictRows()
        self.format: RowFormat | None = None
        self.progress: list[Progress] = []

    def stores(self, disk: str) -> Stores:
        return Stores(self.folder / disk, lambda: self.now)

    async def recover(self, disk: str, stalled_s: float = 20.0) -> PartitionReport:
        """Restart: read everything back into empty rows, then close the store again."""
        return (await self.recover_all(disk, [0], stalled_s)).partitions[0]

    async def recover_all(self, disk: str, partitions: Sequence[int], stalled_s: float = 20.0) -> RecoveryReport:
        self.rows = DictRows(self.format)
        stores, report = await recover(
            partitions,
            self.stores(disk),
            self.rows,
            Changelog(self.topic, len(partitions), 24 * HOUR_MS),
            {"bootstrap_servers": self.kafka},
            now_ms=lambda: self.now,
            on_progress=self.progress.append,
            stalled_s=stalled_s,
        )
        for partition, store in stores.items():
            on_disk = {k: v for ks, vs in store.scan() for k, v in zip(ks, vs, strict=True)}
            assert on_disk == self.rows.of(partition), "local live keys are those in memory"
            store.close()
        return report


Write = Callable[[Case], Awaitable[None]]


def append(records: log.Records) -> Write:
    return lambda case: log.write(case.kafka, case.topic, records)


def in_transaction(records: log.Records, *, abort: bool) -> Write:
    return lambda case: log.write_transaction(case.kafka, case.topic, records, abort=abort)
