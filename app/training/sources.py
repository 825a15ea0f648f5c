"""The recordings that models are trained on, with the times that separate learning, choosing and measuring."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.models.manifest import DataFile
from app.replay.recorded import RecordedBatch
from app.replay.recording import open_recording
from app.replay.shop import Shop

LEARN, CHOOSE, MEASURE = 0, 1, 2
"""Parts of a data set: weights are learned, settings and calibration chosen, and figures measured, each later."""


@dataclass(frozen=True)
class Split:
    """Where the second and the third part begin, in UTC."""

    choose_from: datetime
    measure_from: datetime

    def parts(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The part of each time in ms [n]."""
        return np.searchsorted([_ms(self.choose_from), _ms(self.measure_from)], ts, side="right")

    def described(self) -> str:
        """For the manifest."""
        return f"learned before {self.choose_from:%Y-%m-%dT%H:%MZ}, measured from {self.measure_from:%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True)
class FileSource:
    """A public data set in a file below the data folder, and the adapter that reads it."""

    name: str
    file: str
    adapter: str
    licence: str
    split: Split

    def open(self, data: Path) -> Iterable[RecordedBatch]:
        """Its events.

        Raises:
            UsageProblem: the file is not there, or not of its kind.
        """
        path = data / self.file
        if not path.is_file():
            raise UsageProblem(f"there is no {path}; name the folder of the data sets with --data")
        return open_recording([path], self.adapter)

    def described(self, data: Path, rows: int) -> DataFile:
        """For the manifest; ``rows`` is how many became training rows."""
        digest = hashlib.sha256((data / self.file).read_bytes()).hexdigest()
        return DataFile(self.file, digest, self.licence, rows)


@dataclass(frozen=True)
class ShopSource:
    """The simulated shop, for what no public data set has: searches, messages, returns."""

    name: str
    seed: int
    users: int
    events: int
    events_per_second: float
    start: datetime
    split: Split

    def open(self, data: Path) -> Iterable[RecordedBatch]:
        """Its events, the same every time; ``data`` is not read."""
        shop = Shop(
            self.seed,
            users=self.users,
            start_ts=_ms(self.start),
            events_per_second=self.events_per_second,
            events=self.events,
        )
        return (batch.recorded for batch in shop)

    def described(self, data: Path, rows: int) -> DataFile:
        """For the manifest; the digest is of the events' values."""
        digest = hashlib.sha256()
        for batch in self.open(data):
            digest.update(b"\n".join(batch.values))
        name = f"simulated shop, seed {self.seed}, {self.users} users, {self.events} events"
        return DataFile(name, digest.hexdigest(), "Apache-2.0 (part of Sluice)", rows)


Source = FileSource | ShopSource


def between(recording: Iterable[RecordedBatch], start: datetime, stop: datetime) -> Iterator[RecordedBatch]:
    """The batches of ``recording`` that have an event from ``start`` on and none from ``stop`` on."""
    first, end = _ms(start), _ms(stop)
    for batch in recording:
        if batch.timestamps[0] >= end:
            return
        if batch.timestamps[-1] >= first:
            yield batch


def _utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


TAOBAO = FileSource(
    name="taobao",
    file="taobao_userbehavior/events.parquet",
    adapter="taobao",
    licence="CC BY-NC-SA 4.0, research use (Tianchi data set 649)",
    # Midnight in Beijing.
    split=Split(_utc(2017, 11, 29, 16), _utc(2017, 11, 30, 16)),
)
RETAILROCKET = FileSource(
    name="retailrocket",
    file="retailrocket_extract/events.parquet",
    adapter="retailrocket",
    licence="CC BY-NC-SA 4.0 (Kaggle retailrocket/ecommerce-dataset)",
    split=Split(_utc(2015, 7, 20), _utc(2015, 8, 1)),
)
SHOP = ShopSource(
    name="shop",
    seed=20_260_101,
    users=3_000,
    events=150_000,
    events_per_second=0.1,
    start=_utc(2026, 1, 1),
    split=Split(_utc(2026, 1, 12), _utc(2026, 1, 14)),
)
CLICK_SOURCES: tuple[Source, ...] = (TAOBAO, RETAILROCKET, SHOP)
PAYMENTS = FileSource(
    name="payments_handbook",
    file="payments_handbook/transactions.parquet",
    adapter="payments-handbook",
    licence="no separate licence; simulated by the Fraud Detection Handbook (code GPL-3.0, text CC BY-SA 4.0)",
    split=Split(_utc(2018, 8, 1), _utc(2018, 8, 8)),
)
