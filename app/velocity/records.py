"""What velocities are computed from: orders, labels, and the marks that labels leave at entities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.velocity.entities import ENTITIES, USER, Keys, entity_key, entity_keys, event_key, order_key
from schemas.events import Label, Order

Ints = NDArray[np.int64]

MONEY_SCALE = 10_000
LEGITIMATE = "legitimate"
_MAX_AMOUNT = 10**13  # 1e-4 major units: sums of a million of them still fit


@dataclass(frozen=True, slots=True, eq=False)
class Asks:
    """Orders [n].

    ``turn`` is each one's place in the order of processing, ``believed`` the time in ms up to which its own is
    believed, ``amount`` in 1e-4 major units, ``event`` and ``order`` the keys of its ids, ``entities`` those of its
    entities [n, kinds]; one that names none, not even a user, is a repeated one. ``unusual`` is 1 where the amount was
    for the user, once that is known.
    """

    turn: Ints
    ts: Ints
    believed: Ints
    amount: Ints
    event: Keys
    order: Keys
    entities: Keys
    unusual: Ints | None = None

    def __len__(self) -> int:
        return len(self.turn)

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Which are repeated ones [n]."""
        return np.asarray(self.entities[:, USER] == 0)

    def where(self, keep: NDArray[np.bool_] | Ints | slice) -> "Asks":
        """Those that ``keep`` names."""
        return Asks(
            self.turn[keep],
            self.ts[keep],
            self.believed[keep],
            self.amount[keep],
            self.event[keep],
            self.order[keep],
            self.entities[keep],
            None if self.unusual is None else self.unusual[keep],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What turned out of orders [n]: keys of user and order, whether it was ``bad``, and ``turn`` as of the orders."""

    turn: Ints
    ts: Ints
    user: Keys
    order: Keys
    bad: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.turn)

    def where(self, keep: slice) -> "Labels":
        """Those that ``keep`` names."""
        return Labels(self.turn[keep], self.ts[keep], self.user[keep], self.order[keep], self.bad[keep])

    @classmethod
    def none(cls) -> "Labels":
        """No labels."""
        ints, keys = np.zeros(0, np.int64), np.zeros(0, np.uint64)
        return cls(ints, ints, keys, keys, np.zeros(0, np.bool_))


@dataclass(frozen=True, slots=True)
class Mark:
    """What turned out about an order at one of its entities: ``change`` of its frauds is 1 or -1."""

    turn: int
    kind: int
    key: int
    order: int
    order_ts: int
    change: int


def asks_of(orders: Sequence[Order], users: Sequence[str], turn: Ints, ts: Ints, believed: Ints) -> Asks:
    """The columns of ``orders`` [n] of ``users`` [n]; see `Asks` for the others."""
    return Asks(
        turn=turn,
        ts=ts,
        believed=believed,
        amount=np.array([round(min(order.value * MONEY_SCALE, _MAX_AMOUNT)) for order in orders], np.int64),
        event=np.array([event_key(order.event_id) for order in orders], np.uint64),
        order=np.array([order_key(order.order_id) for order in orders], np.uint64),
        entities=entity_keys(users, orders),
    )


def labels_of(labels: Sequence[Label], users: Sequence[str], turn: Ints, ts: Ints) -> Labels:
    """The columns of those of ``labels`` [n] of ``users`` [n] that are about an order."""
    rows = np.array([row for row, label in enumerate(labels) if label.order_id], np.int64)
    about = [(users[row], labels[row]) for row in rows.tolist()]
    return Labels(
        turn=turn[rows],
        ts=ts[rows],
        user=np.array([entity_key("user", user) for user, _ in about], np.uint64),
        order=np.array([order_key(label.order_id or "") for _, label in about], np.uint64),
        bad=np.array([label.label != LEGITIMATE for _, label in about], np.bool_),
    )


def joined_asks(parts: Sequence[Asks]) -> Asks:
    """Orders one part after the other, without what is known of their amounts."""
    return Asks(
        turn=_joined([part.turn for part in parts], np.int64),
        ts=_joined([part.ts for part in parts], np.int64),
        believed=_joined([part.believed for part in parts], np.int64),
        amount=_joined([part.amount for part in parts], np.int64),
        event=_joined([part.event for part in parts], np.uint64),
        order=_joined([part.order for part in parts], np.uint64),
        entities=np.concatenate([np.zeros((0, len(ENTITIES)), np.uint64), *(part.entities for part in parts)]),
    )


def _joined(parts: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts])
