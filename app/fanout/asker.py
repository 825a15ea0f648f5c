"""The partition of the orders: it answers for its users itself, and asks the owners of the other entities."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.fanout.merger import alone
from app.fanout.messages import ASK, MARK, AskBatch, Asked, Rows, rows_joined
from app.features.scan import Flags
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
        """Take pieces of different partitions in, each later than all before of its own; turns rise from one piece to
        the next."""
        pieces = [self._without_repeats(piece) for piece in pieces]
        orders = joined_asks([piece.orders for piece in pieces])
        marks = [self.resolver(piece.partition).marks(piece.orders, piece.labels) for piece in pieces]
        of_user = self._values(orders, [mark for own in marks for mark in own if mark.kind == USER], telling=True)
        bounds = np.cumsum([0, *(len(piece.orders) for piece in pieces)])
        self._settle(np.array([piece.partition for piece in pieces]).repeat(np.diff(bounds)), orders)
        orders = replace(orders, unusual=(of_user[:, -1] >= UNUSUAL).astype(np.int64))
        rows = _ask_rows(np.concatenate([piece.order_offsets for piece in pieces]), orders)
        answering, parts = self._answering(orders), [slice(*bound) for bound in pairwise(bounds.tolist())]
        return [
            Question(
                self._asked(piece.partition, piece.next_orders, rows[part], of_user[part, :-1], answering[part]),
                self._whole(piece, rows[part], own),
            )
            for piece, part, own in zip(pieces, parts, marks, strict=True)
        ]

    def replay(self, whole: AskBatch, telling: bool) -> Asked:
        """Take in again what was asked before, and tell of it what `ask` told, where it is not too late for that."""
        merged = alone(whole)
        orders = orders_of(merged.asks, merged.turns)
        self.resolver(whole.source).recall(orders, [mark for mark in merged.marks if mark.kind == WAITS])
        self.recent(whole.source).repeated(*_named(orders))
        values = self._values(orders, [mark for mark in merged.marks if mark.kind == USER], telling)
        self._settle(np.full(len(orders), whole.source), orders)
        return self._asked(whole.source, whole.orders, merged.asks, values[:, :-1], self._answering(orders))

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

    def _settle(self, partitions: Ints, orders: Asks) -> None:
        """Note where the users of ``orders`` [n] belong: to ``partitions`` [n]."""
        logs, counted = self.users.logs, ~orders.repeated
        logs.home[logs.known(orders.entities[counted, USER])] = partitions[counted]

    def _whole(self, piece: Piece, rows: Rows, marks: Sequence[Mark]) -> AskBatch:
        return AskBatch(
            source=piece.partition,
            watermark=piece.watermark,
            orders=piece.next_orders,
            labels=piece.next_labels,
            idle=piece.idle,
            asks=rows,
            marks=_mark_rows(piece, marks) if marks else _NO_MARKS,
            wanted=self._wanted,
        )

    def _asked(self, partition: int, next_offset: int, rows: Rows, values: Floats, answering: Flags) -> Asked:
        offsets, repeated = rows["offset"].copy(), rows["entities"][:, USER] == 0
        return Asked(partition, offsets, next_offset, self._own, values, self._wanted, answering, repeated)

    def _answering(self, orders: Asks) -> Flags:
        """Which owners will answer to each order [n, partitions]."""
        asked = orders.entities[:, self._kinds]
        answering = np.zeros((len(orders), self._partitions), np.bool_)
        row, kind = asked.nonzero()
        answering[row, owners_of(asked[row, kind], self._partitions)] = True
        return answering


_BITS = 1 << np.arange(len(ENTITIES))
_NO_MARKS = np.zeros(0, MARK)


def part_of(whole: AskBatch, owner: int, partitions: int) -> AskBatch:
    """What of all that a partition asks concerns one owner."""
    return parts_of([whole], partitions)[0][owner]


def parts_of(wholes: Sequence[AskBatch], partitions: int) -> list[list[AskBatch]]:
    """What of all that each partition asks concerns each owner, by whole and owner."""
    asks = rows_joined([whole.asks for whole in wholes], ASK)
    number = np.arange(len(wholes)).repeat([len(whole.asks) for whole in wholes])
    row, kind = ((asks["entities"] != 0) & ~IS_USER).nonzero()
    owner = owners_of(asks["entities"][row, kind], partitions)
    bits = np.bincount(owner * len(asks) + row, _BITS[kind], partitions * len(asks)).astype(np.uint8)
    pair = bits.nonzero()[0]  # of owner and row: what concerns one owner lies together, in it that of one partition
    owner, row = np.divmod(pair, max(1, len(asks)))
    mine = asks[row]
    mine["kinds"] = bits[pair]
    place = owner * len(wholes) + number[row]
    bounds = place.searchsorted(np.arange(partitions * len(wholes) + 1)).tolist()
    found = [mine[slice(*bound)] for bound in pairwise(bounds)]
    return [
        [
            whole.part(found[each * len(wholes) + at], _marks_of(whole.marks, each, partitions))
            for each in range(partitions)
        ]
        for at, whole in enumerate(wholes)
    ]


def _marks_of(marks: Rows, owner: int, partitions: int) -> Rows:
    if not len(marks):
        return marks
    is_entity = (marks["kind"] != USER) & (marks["kind"] != WAITS)
    return np.asarray(marks[is_entity & (owners_of(marks["key"], partitions) == owner)])


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
