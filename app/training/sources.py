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
    """Where the parts begin, in UTC, and where they end if not with the next one or with the data."""

    choose_from: datetime
    measure_from: datetime
    learn_from: datetime | None = None
    choose_until: datetime | None = None
    measure_until: datetime | None = None

    def parts(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The part of each time in ms [n], -1 for none."""
        parts = np.full(len(ts), -1)
        for part, (start, end) in enumerate(self._periods()):
            begun = ts >= _ms(start) if start else np.ones(len(ts), np.bool_)
            parts[begun & (ts < _ms(end)) if end else begun] = part
        return parts

    def described(self) -> str:
        """For the manifest."""
        told = []
        for name, (start, end) in zip(("learned", "chosen", "measured"), self._periods(), strict=True):
            told.append(" ".join([name, *_told("from", start), *_told("until", end)]))
        return "; ".join(told)

    def _periods(self) -> tuple[tuple[datetime | None, datetime | None], ...]:
        return (
            (self.learn_from, self.choose_from),
            (self.choose_from, self.choose_until or self.measure_from),
            (self.measure_from, self.measure_until),
        )


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
        return open_recording([self.path(data)], self.adapter)

    def path(self, data: Path) -> Path:
        """Where its file is.

        Raises:
            UsageProblem: it is not there.
        """
        path = data / self.file
        if not path.is_file():
            raise UsageProblem(f"there is no {path}; name the folder of the data sets with --data")
        return path

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
        return (batch.recorded for batch in self.shop())

    def shop(self) -> Shop:
        """The simulation."""
        return Shop(
            self.seed,
            users=self.users,
            start_ts=_ms(self.start),
            events_per_second=self.events_per_second,
            events=self.events,
        )

    def described(self, data: Path, rows: int) -> DataFile:
        """For the manifest; the digest is of the events' values."""
        digest = hashlib.sha256()
        for batch in self.open(data):
            digest.update(b"\n".join(batch.values))
        name = f"simulated shop, seed {self.seed}, {self.users} users, {self.events} events"
        return DataFile(name, digest.hexdigest(), "Apache-2.0 (part of Sluice)", rows)


Source = FileSource | ShopSource


def since(recording: Iterable[RecordedBatch], start: datetime) -> Iterator[RecordedBatch]:
    """The batches of ``recording`` without those that end before ``start``."""
    first = _ms(start)
    return (batch for batch in recording if batch.timestamps[-1] >= first)


def _told(word: str, time: datetime | None) -> list[str]:
    return [word, f"{time:%Y-%m-%d %H:%M}"] if time else []


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
    split=Split(_utc(2017, 11, 28, 16), _utc(2017, 11, 29, 16)),
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
ESHOP = FileSource(
    name="eshop",
    file="eshop_clothing_2008/clicks.parquet",
    adapter="eshop",
    licence="CC BY 4.0 (UCI 553, Łapczyński and Białowąs 2013)",
    split=Split(_utc(2008, 6, 15), _utc(2008, 7, 1)),
)
CLICK_SOURCES: tuple[Source, ...] = (TAOBAO, RETAILROCKET, ESHOP, SHOP)
ORDER_SHOP = ShopSource(
    name="shop",
    seed=20_260_102,
    users=8_000,
    events=400_000,
    events_per_second=0.25,
    start=_utc(2026, 1, 1),
    split=Split(_utc(2026, 1, 13), _utc(2026, 1, 15)),
)
PAYMENTS = FileSource(
    name="payments_handbook",
    file="payments_handbook/transactions.parquet",
    adapter="payments-handbook",
    licence="no separate licence; simulated by the Fraud Detection Handbook (code GPL-3.0, text CC BY-SA 4.0)",
    # The handbook's training week chooses here: its frauds are known when its test week begins, seven days after.
    split=Split(
        learn_from=_utc(2018, 6, 1),
        choose_from=_utc(2018, 7, 25),
        choose_until=_utc(2018, 8, 1),
        measure_from=_utc(2018, 8, 8),
        measure_until=_utc(2018, 8, 15),
    ),
)
FIRST_ORDERS = FileSource(
    name="fraud_ecommerce",
    file="fraud_ecommerce/orders.parquet",
    adapter="fraud-ecommerce",
    licence="none stated (Kaggle vbinh002/fraud-ecommerce)",
    # Nothing is chosen on this set: the week between is that in which frauds are not known yet.
    split=Split(choose_from=_utc(2015, 6, 24), measure_from=_utc(2015, 7, 1)),
)
"""The first orders of a shop's accounts, with rings of them in January 2015."""
