"""The partition of the orders: it answers for its users itself, and asks the owners of the other entities."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.fanout.messages import ASK, MARK, AskBatch, Ids
from app.velocity.definitions import UNUSUAL, Velocity
from app.velocity.entities import ENTITIES, ENTITY_INDEX, USER, Keys
from app.velocity.kind import EntityKind
from app.velocity.labels import LabelResolver
from app.velocity.records import Asks, Ints, Labels, Mark, joined_asks, joined_labels
from app.velocity.table import USUAL
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
class Asked:
    """Orders [n] by their offsets, with the values [n, own] of the velocities ``own`` of their users, and the owners
    [n, partitions] that will tell those that are ``wanted`` of other entities; and what goes to each owner. All orders
    before ``next_offset`` have been asked about, but those that do not decode."""

    offsets: Ints
    next_offset: int
    own: Ids
    values: Floats
    wanted: Ids
    owners: NDArray[np.bool_]
    batches: list[AskBatch]


class Askers:
    """Those of a process's partitions, whose users are in one table.

    Args:
        partitions: of the topics.
        velocities: of all kinds that can be wanted, and are so at first; it computes the users'.
    """

    def __init__(self, partitions: int, velocities: Sequence[Velocity]) -> None:
        self._partitions = partitions
        self.users = EntityKind(USER, [*_of_users(velocities), USUAL])
        self.labels = LabelResolver(self.users.logs)
        self.use(velocities)

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Ask for these from now on. Orders are told to all owners, whoever is wanted to answer."""
        own = _of_users(velocities)
        others = [velocity for velocity in velocities if velocity not in own]
        self.users.use([*own, USUAL])
        self._own = tuple(velocity.id for velocity in own)
        self._wanted = tuple(velocity.id for velocity in others)
        self._kinds = sorted({ENTITY_INDEX[velocity.entity] for velocity in others})

    def ask(self, pieces: Sequence[Piece]) -> list[Asked]:
        """Take pieces of different partitions in, each later than all before of its own.

        Tells of each what to send to every owner, also where that is nothing.
        """
        pieces = _in_one_row(pieces)
        orders = joined_asks([piece.orders for piece in pieces])
        marks = self.labels.marks(orders, joined_labels([piece.labels for piece in pieces]))
        of_user = self.users.apply(orders, [mark for mark in marks if mark.kind == USER])
        values = of_user[:, :-1]
        orders = replace(orders, unusual=(of_user[:, -1] >= UNUSUAL).astype(np.int64))
        bounds = np.cumsum([0, *(len(piece.orders) for piece in pieces)]).tolist()
        return [
            self._asked(replace(piece, orders=orders.where(np.arange(start, stop))), values[start:stop], marks)
            for piece, (start, stop) in zip(pieces, pairwise(bounds), strict=True)
        ]

    def _asked(self, piece: Piece, values: Floats, marks: Sequence[Mark]) -> Asked:
        turns = {*piece.orders.turn.tolist(), *piece.labels.turn.tolist()}
        mine = [mark for mark in marks if mark.turn in turns and mark.kind != USER]
        owners = self._owners(piece.orders)
        answering = (owners[:, None, self._kinds] == np.arange(self._partitions)[None, :, None]).any(axis=2)
        batches = [self._batch(number, piece, owners, mine) for number in range(self._partitions)]
        return Asked(piece.order_offsets, piece.next_orders, self._own, values, self._wanted, answering, batches)

    def _owners(self, orders: Asks) -> Ints:
        """By order and kind the owner [n, kinds], -1 for users and for what is not named."""
        owners = owners_of(orders.entities, self._partitions)
        owners[orders.entities == 0] = -1
        owners[:, USER] = -1
        return owners

    def _batch(self, number: int, piece: Piece, owners: Ints, marks: Sequence[Mark]) -> AskBatch:
        mine = owners == number
        rows = np.flatnonzero(mine.any(axis=1))
        own = [mark for mark in marks if mark.key % self._partitions == number]
        return AskBatch(
            source=piece.partition,
            watermark=piece.watermark,
            orders=piece.next_orders,
            labels=piece.next_labels,
            idle=piece.idle,
            asks=_ask_rows(piece.order_offsets[rows], piece.orders.where(rows), mine[rows]),
            marks=_mark_rows(piece, own),
            wanted=self._wanted,
        )


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


def _ask_rows(offsets: Ints, orders: Asks, mine: NDArray[np.bool_]) -> NDArray[np.void]:
    rows = np.zeros(len(orders), ASK)
    rows["offset"] = offsets
    for name in ("ts", "believed", "amount", "order", "unusual", "entities"):
        rows[name] = getattr(orders, name)
    rows["kinds"] = mine @ (1 << np.arange(len(ENTITIES)))
    return rows


def _mark_rows(piece: Piece, marks: Sequence[Mark]) -> NDArray[np.void]:
    turns = np.concatenate((piece.labels.turn, piece.orders.turn))
    offsets = np.concatenate((piece.label_offsets, piece.order_offsets))
    times = np.concatenate((piece.labels.ts, piece.orders.ts))
    at = {turn: place for place, turn in enumerate(turns.tolist())}
    rows = np.zeros(len(marks), MARK)
    for row, mark in zip(rows, marks, strict=True):
        place = at[mark.turn]
        row["offset"], row["ts"], row["follows"] = offsets[place], times[place], place >= len(piece.labels)
        row["order_ts"], row["order"], row["key"] = mark.order_ts, mark.order, mark.key
        row["kind"], row["change"] = mark.kind, mark.change
    return rows
