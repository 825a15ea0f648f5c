"""Data sets of orders, ready to train and measure the risk model on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.models.manifest import DataFile
from app.replay.recorded import RecordedBatch
from app.state.columns import Lifetimes
from app.training.rows import OrderRows, Progress, order_rows
from app.training.sources import ShopSource, Source, since
from app.velocity.definitions import Velocity
from schemas.events import Label
from schemas.topics import LABELS

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

DAY_MS = 86_400_000
_NEVER = 1 << 40  # a day after every other


@dataclass(frozen=True, eq=False)
class OrderSet:
    """A data set: its rows in time order, which were ``fraud`` [m], and the ``part`` of each [m], -1 for none."""

    name: str
    rows: OrderRows
    fraud: Flags
    part: Ints
    described: DataFile
    split: str

    def unknown(self, since_ms: int) -> Flags:
        """Orders [m] whose user was not known as a victim: no fraud from ``since_ms`` on up to eight days before.

        The handbook removes the others from its test days (chapter 3: frauds are known a week later).
        """
        users = {user: number for number, user in enumerate(sorted(set(self.rows.users)))}
        user = np.array([users[name] for name in self.rows.users])
        first = np.full(len(users), _NEVER)
        counted = self.fraud & (self.rows.ts >= since_ms)
        np.minimum.at(first, user[counted], self.rows.ts[counted] // DAY_MS)
        return np.asarray(self.rows.ts // DAY_MS < first[user] + 8)


class _OrderId(msgspec.Struct):
    order_id: str


def read_order_set(
    source: Source,
    data: Path,
    lifetimes: Lifetimes,
    done: Progress,
    start: datetime,
    velocities: Sequence[Velocity] = (),
) -> OrderSet:
    """Replay ``source`` from ``start`` on through the step, with the truth about its orders, told these ``velocities``.

    Raises:
        UsageProblem: its file is not in ``data``.
    """
    frauds: set[str] = set()
    recording = _shop(source, frauds) if isinstance(source, ShopSource) else _labelled(source.open(data), frauds)
    rows = order_rows(since(recording, start), lifetimes, done, velocities)
    return OrderSet(
        name=source.name,
        rows=rows,
        fraud=np.array([order_id in frauds for order_id in rows.order_ids]),
        part=source.split.parts(rows.ts),
        described=source.described(data, len(rows.ts)),
        split=source.split.described(),
    )


def _labelled(recording: Iterable[RecordedBatch], frauds: set[str]) -> Iterator[RecordedBatch]:
    """The batches, noting the orders that their labels call bad."""
    decode = msgspec.json.Decoder(Label).decode
    for batch in recording:
        for topic, value in zip(batch.topics, batch.values, strict=True):
            if topic == LABELS:
                label = decode(value)
                if label.order_id and label.label != "legitimate":
                    frauds.add(label.order_id)
        yield batch


def _shop(source: ShopSource, frauds: set[str]) -> Iterator[RecordedBatch]:
    """The shop's batches, noting its frauds, also those that nobody will report."""
    decode = msgspec.json.Decoder(_OrderId).decode
    for batch in source.shop():
        for value, truth in zip(batch.recorded.values, batch.truths, strict=True):
            if truth.fraud:
                frauds.add(decode(value).order_id)
        yield batch.recorded
