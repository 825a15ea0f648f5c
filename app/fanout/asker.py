"""The partition of the orders: it answers for its users itself, and asks the owners of the other entities."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.fanout.merger import alone
from app.fanout.messages import ASK, MARK, AskBatch, Asked, Rows
from app.velocity.definitions import UNUSUAL, Velocity
from app.velocity.entities import ENTITIES, ENTITY_INDEX, USER, Keys
from app.velocity.entity_table import EntityTable
from app.velocity.labels import WAITS, LabelResolver
from app.velocity.logs import StoredLogs
from app.velocity.records import Asks, Ints, Labels, Mark, joined_asks
from app.velocity.repeats import RecentOrders
from app.velocity.table import IS_USER, USUAL
from app.velocity.windows import Floats


def owners_of(keys: Keys, partitions: int) -> Ints:
    """The partition of each entity key [...]; keys are hashes, so that they spread by themselves."""
    return np.asarray((keys % np.uint64(partitions)).astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Orders and labels of one partition in their turns, with the offsets of their records and the next ones."""

    partition: int
    orders: Asks
    order_offsets: Ints
    labels: Labels
    label_offsets: Ints
    next_orders: int
    next_labels: int
    watermark: int
    idle: bool


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What a piece leads to: what is known of its orders by now, and the whole of what it asks, see `split`."""

    asked: Asked
    whole: AskBatch


class Askers:
    """Those of a process's partitions, whose users are in one table.

    Args:
        partitions: of the topics.
        velocities: of all kinds that can be wanted, and are so at first; it computes the users'.
    """

    def __init__(self, partitions: int, velocities: Sequence[Velocity]) -> None:
        self._partitions = partitions
        self.users = EntityTable([*_of_users(velocities), USUAL])
        self.labels: dict[int, LabelResolver] = {}
        """By partition."""
        self._recent: dict[int, RecentOrders] = {}
        self.use(velocities)

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Ask for these from now on. Orders are told to all owners, whoever is wanted to answer."""
        own = _of_users(velocities)
        others = [velocity for velocity in velocities if velocity not in own]
        self.users.use([*own, USUAL])
        self._own = tuple(velocity.id for velocity in own)
        self._wanted = tuple(velocity.id for velocity in others)
        self._kinds = sorted({ENTITY_INDEX[velocity.entity] for velocity in others})

    @property
    def is_asking(self) -> bool:
        """Whether anything is wanted."""
        return bool(self._own or self._wanted)

    def ask(self, pieces: Sequence[Piece]) -> list[Question]:
        """Take pieces of different partitions in, each later than all before of its own."""
        pieces = [self._without_repeats(piece) for piece in _in_one_row(pieces)]
        orders = joined_asks([piece.orders for piece in pieces])
        marks = [self.resolver(piece.partition).marks(piece.orders, piece.labels) for piece in pieces]
        of_user = self._enter(pieces, orders, [mark for own in marks for mark in own])
        orders = replace(orders, unusual=(of_user[:, -1] >= UNUSUAL).astype(np.int64))
        bounds = np.cumsum([0, *(len(piece.orders) for piece in pieces)]).tolist()
        return [
            self._question(replace(piece, orders=orders.where(np.arange(*bound))), of_user[slice(*bound), :-1], own)
            for piece, bound, own in zip(pieces, pairwise(bounds), marks, strict=True)
        ]

    def replay(self, whole: AskBatch, telling: bool) -> Asked:
        """Take in again what was asked before, and tell of it what `ask` told, where it is not too late for that."""
        merged = alone(whole)
        orders = orders_of(merged.asks, merged.turns)
        self.resolver(whole.source).recall(orders, [mark for mark in merged.marks if mark.kind == WAITS])
        self.recent(whole.source).repeated(*_named(orders))
        values = self._values(orders, [mark for mark in merged.marks if mark.kind == USER], telling)
        self._settle(whole.source, orders)
        return self._asked(whole.source, whole.orders, merged.asks["offset"].copy(), orders, values[:, :-1])

    def forget(self, partition: int) -> None:
        """Forget the users of a partition."""
        logs = self.users.logs
        logs.remove(np.flatnonzero((logs.keys != 0) & (logs.home == partition)))
        self.labels.pop(partition, None)
        self._recent.pop(partition, None)

    def restore(self, partition: int, users: StoredLogs, labels: NDArray[np.void], recent: RecentOrders) -> None:
        """Take over the users of a partition, their latest orders, and the labels that wait for theirs."""
        self.users.logs.restore(users, partition)
        self.resolver(partition).restore(labels)
        self._recent[partition] = recent

    def expire(self, before: int) -> None:
        """Forget users without an order, and labels without theirs, since ``before`` (ms)."""
        gone = self.users.logs.expire(before).tolist()
        for recent in self._recent.values():
            recent.forget(gone)
        for labels in self.labels.values():
            labels.expire(before)

    def resolver(self, partition: int) -> LabelResolver:
        """The labels of a partition."""
        return self.labels.setdefault(partition, LabelResolver(self.users.logs))

    def recent(self, partition: int) -> RecentOrders:
        """The latest orders of a partition's users."""
        return self._recent.setdefault(partition, RecentOrders())

    def _without_repeats(self, piece: Piece) -> Piece:
        """The piece, whose repeated orders name no entity, so that they count nowhere."""
        orders = piece.orders
        repeated = self.recent(piece.partition).repeated(*_named(orders))
        if not repeated.any():
            return piece
        entities = np.where(repeated[:, None], np.uint64(0), orders.entities)
        return replace(piece, orders=replace(orders, entities=entities))

    def _values(self, orders: Asks, marks: Sequence[Mark], telling: bool) -> Floats:
        """What is known of the users of orders [n, velocities]; NaN of repeated ones."""
        return self.users.apply(replace(orders, unusual=None), (orders.entities != 0) & IS_USER, marks, telling)

    def _enter(self, pieces: Sequence[Piece], orders: Asks, marks: Sequence[Mark]) -> Floats:
        values = self._values(orders, [mark for mark in marks if mark.kind == USER], telling=True)
        for piece in pieces:
            self._settle(piece.partition, piece.orders)
        return values

    def _settle(self, partition: int, orders: Asks) -> None:
        """Note where users belong."""
        logs = self.users.logs
        logs.home[logs.known(orders.entities[~orders.repeated, USER])] = partition

    def _question(self, piece: Piece, values: Floats, marks: Sequence[Mark]) -> Question:
        whole = AskBatch(
            source=piece.partition,
            watermark=piece.watermark,
            orders=piece.next_orders,
            labels=piece.next_labels,
            idle=piece.idle,
            asks=_ask_rows(piece.order_offsets, piece.orders),
            marks=_mark_rows(piece, marks),
            wanted=self._wanted,
        )
        return Question(
            self._asked(piece.partition, piece.next_orders, piece.order_offsets, piece.orders, values), whole
        )

    def _asked(self, partition: int, next_offset: int, offsets: Ints, orders: Asks, values: Floats) -> Asked:
        owners = self._owners(orders)[:, self._kinds]
        answering = (owners[:, None, :] == np.arange(self._partitions)[None, :, None]).any(axis=2)
        return Asked(partition, offsets, next_offset, self._own, values, self._wanted, answering, orders.repeated)

    def _owners(self, orders: Asks) -> Ints:
        """By order and kind the owner [n, kinds], -1 for users and for what is not named."""
        owners = owners_of(orders.entities, self._partitions)
        owners[orders.entities == 0] = -1
        owners[:, USER] = -1
        return owners


_BITS = 1 << np.arange(len(ENTITIES))


def part_of(whole: AskBatch, owner: int, partitions: int) -> AskBatch:
    """What of all that a partition asks concerns one owner."""
    if not whole.rows:
        return whole
    entities = whole.asks["entities"]
    mine = (owners_of(entities, partitions) == owner) & (entities != 0) & ~IS_USER
    rows = np.flatnonzero(mine.any(axis=1))
    asks = whole.asks[rows]
    asks["kinds"] = mine[rows] @ _BITS
    marks = whole.marks
    is_entity = (marks["kind"] != USER) & (marks["kind"] != WAITS)
    return replace(whole, asks=asks, marks=marks[is_entity & (owners_of(marks["key"], partitions) == owner)])


def orders_of(asks: Rows, turns: Ints) -> Asks:
    """The orders of rows [n] in their turns [n]."""
    return Asks(
        turn=turns,
        ts=asks["ts"].copy(),
        believed=asks["believed"].copy(),
        amount=asks["amount"].copy(),
        event=asks["event"].copy(),
        order=asks["order"].copy(),
        entities=asks["entities"].copy(),
        unusual=asks["unusual"].astype(np.int64),
    )


def _named(orders: Asks) -> tuple[Keys, Keys]:
    """The keys of users and events of ``orders``, without repeated ones."""
    counted = ~orders.repeated
    return orders.entities[counted, USER], orders.event[counted]


def _of_users(velocities: Sequence[Velocity]) -> list[Velocity]:
    return [velocity for velocity in velocities if velocity.entity == ENTITIES[USER]]


def _in_one_row(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces with turns that rise from one to the next."""
    found, base = [], 0
    for piece in pieces:
        last = max([-1, *piece.orders.turn.tolist(), *piece.labels.turn.tolist()])
        orders = replace(piece.orders, turn=piece.orders.turn + base)
        found.append(replace(piece, orders=orders, labels=replace(piece.labels, turn=piece.labels.turn + base)))
        base += last + 1
    return found


def _ask_rows(offsets: Ints, orders: Asks) -> NDArray[np.void]:
    rows = np.zeros(len(orders), ASK)
    rows["offset"] = offsets
    for name in ("ts", "believed", "amount", "event", "order", "unusual", "entities"):
        rows[name] = getattr(orders, name)
    rows["kinds"] = (orders.entities != 0) @ _BITS
    return rows


def _mark_rows(piece: Piece, marks: Sequence[Mark]) -> NDArray[np.void]:
    turns = np.concatenate((piece.labels.turn, piece.orders.turn))
    offsets = np.concatenate((piece.label_offsets, piece.order_offsets))
    times = np.concatenate((piece.labels.ts, np.minimum(piece.orders.ts, piece.orders.believed)))
    at = {turn: place for place, turn in enumerate(turns.tolist())}
    rows = np.zeros(len(marks), MARK)
    for row, mark in zip(rows, marks, strict=True):
        place = at[mark.turn]
        row["offset"], row["ts"], row["follows"] = offsets[place], times[place], place >= len(piece.labels)
        row["order_ts"], row["order"], row["key"] = mark.order_ts, mark.order, mark.key
        row["kind"], row["change"] = mark.kind, mark.change
    return rows
