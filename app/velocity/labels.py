"""From a label to the entities of its order: what turned out concerns the card, the device and the terminal too.

An order's entities are found in the log of its user. A label that comes before its order waits for it; one that repeats
what is known changes nothing; of contradicting ones the last one counts. Where a user has several orders of one id, it
is about the latest.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.velocity.definitions import RETENTION_MS
from app.velocity.entities import USER
from app.velocity.logs import EntityLogs
from app.velocity.records import Asks, Labels, Mark

MOST_WAITING = 65_536
"""Labels that wait for their order; beyond that the one that waits longest is dropped, and counted."""


WAITING = np.dtype([("user", "<u8"), ("order", "<u8"), ("bad", "?"), ("ts", "<i8")])
"""A label that waits, as it is stored."""

WAITS = 255
"""In the place of a mark's kind: the label waits for its order. ``key`` is the user's, ``order_ts`` the label's time,
``change`` whether it is bad."""

_Name = tuple[int, int]
"""Keys of user and order."""


class LabelResolver:
    """Finds the orders that labels are about.

    Args:
        users: the users' logs, in which orders are found; they tell the entities of all kinds.
    """

    def __init__(self, users: EntityLogs) -> None:
        self.dropped = 0
        self._users = users
        self._waiting: dict[_Name, tuple[bool, int]] = {}  # whether bad, and the label's time

    @property
    def waiting(self) -> int:
        """Labels whose order has not come."""
        return len(self._waiting)

    def marks(self, orders: Asks, labels: Labels) -> list[Mark]:
        """The marks that ``labels`` and those that waited for ``orders`` lead to, in their turns.

        A mark's turn is that of its label, or of the order that it waited for: `EntityTable` has marks of the turn of
        an order after it. Labels that begin to wait are told as marks of kind ``WAITS``.
        """
        if not len(labels) and not self._waiting:
            return []
        batch = _Batch(self._users)
        found: list[Mark] = []
        all_told: list[_Label | _Order] = [*_labels(labels), *self._awaited(orders, labels)]
        for told in sorted(all_told, key=lambda told: told.turn):
            if isinstance(told, _Order):
                waited = self._waiting.pop(told.name, None)
                found += batch.enter(told, bad=waited is not None and waited[0])
            elif batch.knows(told.name):
                found += batch.mark(told)
            else:
                self._wait(told.name, told.bad, told.ts)
                found.append(Mark(told.turn, WAITS, *told.name, told.ts, int(told.bad)))
        return found

    def recall(self, orders: Asks, waits: Sequence[Mark]) -> None:
        """Let labels wait again that ``marks`` told of, but for those whose ``orders`` came, all in their turns."""
        if not waits and not self._waiting:
            return
        all_told: list[Mark | _Order] = [*waits, *(_order(orders, row) for row in range(len(orders)))]
        for told in sorted(all_told, key=lambda told: told.turn):
            if isinstance(told, Mark):
                self._wait((told.key, told.order), bool(told.change), told.order_ts)
            else:
                self._waiting.pop(told.name, None)

    def stored(self) -> NDArray[np.void]:
        """The labels that wait, in the order in which they began to."""
        rows = [(user, order, bad, ts) for (user, order), (bad, ts) in self._waiting.items()]
        return np.array(rows, WAITING)

    def restore(self, stored: NDArray[np.void]) -> None:
        """Let the labels wait that ``stored`` told."""
        self._waiting = {(int(row["user"]), int(row["order"])): (bool(row["bad"]), int(row["ts"])) for row in stored}

    def expire(self, before: int) -> None:
        """Drop labels from before ``before`` (ms) whose order never came."""
        gone = [name for name, (_, ts) in self._waiting.items() if ts <= before]
        for name in gone:
            del self._waiting[name]
        self.dropped += len(gone)

    def _awaited(self, orders: Asks, labels: Labels) -> Iterator["_Order"]:
        """The orders of the users that some label is or will be about."""
        users = {*labels.user.tolist(), *(user for user, _ in self._waiting)}
        for row, user in enumerate(orders.entities[:, USER].tolist()):
            if user in users:
                yield _order(orders, row)

    def _wait(self, name: _Name, bad: bool, ts: int) -> None:
        self._waiting.pop(name, None)
        self._waiting[name] = (bad, ts)
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1


class _Label(NamedTuple):
    """A label in its turn."""

    turn: int
    name: _Name
    ts: int
    bad: bool


class _Order(NamedTuple):
    """An order in its turn, with its entities' keys and how often it counts as a fraud."""

    turn: int
    name: _Name
    ts: int
    believed: int
    entities: list[int]
    frauds: int


class _Batch:
    """The orders that the labels of a batch can be about, as they are known at each turn."""

    def __init__(self, users: EntityLogs) -> None:
        self._users = users
        self._orders: dict[_Name, _Order | None] = {}
        self._latest: dict[int, int] = {}

    def enter(self, order: _Order, bad: bool) -> list[Mark]:
        """An order that comes in, of which it may be known that it is ``bad``."""
        other, user = self._order(order.name), order.name[0]
        self._latest[user] = max(self._latest[user], min(order.ts, order.believed))
        marks = _marks(order.turn, order, bad)
        if other is None or other.ts <= order.ts:
            self._orders[order.name] = order._replace(frauds=int(bad))
        return marks

    def knows(self, name: _Name) -> bool:
        """Whether there is such an order, and its user's log still has it."""
        order = self._order(name)
        return order is not None and order.ts > self._latest[name[0]] - RETENTION_MS

    def mark(self, label: _Label) -> list[Mark]:
        """What ``label`` changes at the entities of its order."""
        order = self._orders[label.name]
        assert order is not None
        self._orders[label.name] = order._replace(frauds=int(label.bad))
        return _marks(label.turn, order, label.bad)

    def _order(self, name: _Name) -> _Order | None:
        user = name[0]
        slot = int(self._users.known(np.array([user], np.uint64))[0])
        if user not in self._latest:
            self._latest[user] = int(self._users.latest[slot]) if slot >= 0 else 0
        if name not in self._orders:
            self._orders[name] = self._stored(slot, name) if slot >= 0 else None
        return self._orders[name]

    def _stored(self, slot: int, name: _Name) -> _Order | None:
        at = self._users.find(slot, name[1])
        if at is None:
            return None
        columns = self._users.columns
        entities = [int(columns[name][at]) for name in self._users.others]
        return _Order(0, name, int(columns["ts"][at]), 0, entities, int(columns["frauds"][at]))


def _marks(turn: int, order: _Order, bad: bool) -> list[Mark]:
    change = int(bad) - order.frauds
    at = [(kind, key) for kind, key in enumerate(order.entities) if key and change]
    return [Mark(turn, kind, key, order.name[1], order.ts, change) for kind, key in at]


def _labels(labels: Labels) -> Iterator[_Label]:
    columns = (labels.turn, labels.user, labels.order, labels.ts, labels.bad)
    for turn, user, order, ts, bad in zip(*(column.tolist() for column in columns), strict=True):
        yield _Label(turn, (user, order), ts, bad)


def _order(orders: Asks, row: int) -> _Order:
    entities = orders.entities[row].tolist()
    name = (entities[USER], int(orders.order[row]))
    return _Order(int(orders.turn[row]), name, int(orders.ts[row]), int(orders.believed[row]), entities, 0)
