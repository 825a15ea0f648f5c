"""The handbook's payments as the payment model sees them: streamed through the velocities, one after another."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.features.orders import order_features
from app.features.payments import PAYMENT_INPUTS
from app.replay.recorded import RecordedBatch
from app.training.order_sets import DAY_MS
from app.velocity.joined import Joined
from app.velocity.stream import Told, streamed
from schemas.events import Label
from schemas.topics import LABELS

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NEVER = 1 << 40  # a day after every other
_END = 1 << 62  # ms after every other
_NAMES = tuple(velocity.name for velocity in PAYMENT_INPUTS.velocities)


@dataclass(frozen=True, eq=False)
class Payments:
    """Payments [n] in order: numbers of their ``card``, times in ms, features [n, G], which were ``fraud``."""

    card: Ints
    ts: Ints
    features: NDArray[np.float32]
    fraud: Flags

    def within(self, start: datetime, stop: datetime | None) -> Flags:
        """Payments from ``start`` up to before ``stop`` [n]."""
        end = _END if stop is None else _ms(stop)
        return np.asarray((self.ts >= _ms(start)) & (self.ts < end))

    def unknown(self, since: datetime) -> Flags:
        """Payments of cards not known as victims: no fraud from ``since`` on up to eight days before [n].

        The handbook removes the others from its test days (chapter 3: frauds are known a week later).
        """
        day = self.ts // DAY_MS
        first = np.full(int(self.card.max(initial=0)) + 1, _NEVER)
        counted = self.fraud & (self.ts >= _ms(since))
        np.minimum.at(first, self.card[counted], day[counted])
        return np.asarray(day < first[self.card] + 8)


def read_payments(recording: Iterable[RecordedBatch], done: Callable[[int], None]) -> Payments:
    """Every payment of ``recording``; ``done`` is told how many events each batch had."""
    frauds: set[str] = set()
    parts = list(streamed(noting_frauds(recording, frauds), PAYMENT_INPUTS.velocities, done))
    users = [user for part in parts for user in part.users]
    return Payments(
        card=np.unique(users, return_inverse=True)[1].astype(np.int64),
        ts=np.concatenate([part.ts for part in parts]),
        features=np.concatenate([_features(part) for part in parts]),
        fraud=np.array([order.order_id in frauds for part in parts for order in part.orders]),
    )


def _features(part: Told) -> NDArray[np.float32]:
    none = np.zeros(len(part.ts), np.bool_)
    joined = Joined(_NAMES, part.values, none, none)
    return PAYMENT_INPUTS.of(order_features(part.asks.amount, part.ts, None), joined)


def noting_frauds(recording: Iterable[RecordedBatch], frauds: set[str]) -> Iterable[RecordedBatch]:
    """The batches, noting the orders that their labels call bad, also when that comes to be known later."""
    decode = msgspec.json.Decoder(Label).decode
    for batch in recording:
        for topic, value in zip(batch.topics, batch.values, strict=True):
            if topic == LABELS and (label := decode(value)).order_id and label.label != "legitimate":
                frauds.add(label.order_id)
        yield batch


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
