"""One kind of entity: its logs, and the velocities that are computed at it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.features.scan import first_rows, group_index, group_starts, running_max, running_sum
from app.velocity.aggregates import grouped, values_of
from app.velocity.definitions import RETENTION_MS, Velocity
from app.velocity.entities import ENTITIES, ENTITY_INDEX, USER, Keys
from app.velocity.logs import LOOK_EVERY, EntityLogs
from app.velocity.records import Asks, Ints, Mark
from app.velocity.windows import Floats, Windows


class EntityKind:
    """The entities of kind ``ENTITIES[kind]``; ``velocities`` are those of the kind that can be wanted, and are so at
    first."""

    def __init__(self, kind: int, velocities: Sequence[Velocity]) -> None:
        self._kind = kind
        self.use(velocities)
        # A user's log is also where the entities of an order are looked up when its label comes.
        wanted = set(ENTITIES) if kind == USER else {velocity.of for velocity in velocities}
        self.logs = EntityLogs([name for name in ENTITIES if name in wanted])

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Compute these from now on, of those that can be wanted; what they look at is remembered in any case."""
        self.velocities = tuple(velocities)
        self._groups = [(places, [velocities[place] for place in places]) for places in grouped(velocities)]

    def apply(self, asks: Asks, marks: Sequence[Mark], telling: bool = True) -> Floats:
        """Take orders and marks in, in their turns; tells the velocities of each order [n, velocities].

        Unless ``telling``, nothing is computed, which is cheaper: all are 0.
        """
        slots = self.logs.slots(np.concatenate((asks.entities[:, self._kind], _keys(marks))))
        found = np.zeros((len(asks), len(self.velocities)))
        order, rounds = self._rounds(slots, asks, np.array([mark.turn for mark in marks], np.int64))
        for number in range(int(rounds.max(initial=-1)) + 1):
            ops = order[rounds == number]
            for op in ops[ops >= len(asks)].tolist():
                self._mark(int(slots[op]), marks[op - len(asks)])
            rows = ops[ops < len(asks)]
            if len(rows):
                found[rows] = self._ask(slots[rows], asks.where(rows), telling)
        return found

    def _rounds(self, slots: Ints, asks: Asks, mark_turns: Ints) -> tuple[Ints, Ints]:
        """Orders, then marks by their indices in an order, and the round of each in which it goes.

        Within a round every entity has its marks before its orders, and those in order of time; nothing is forgotten
        that one of them would see, and no log becomes coarse. So a round can be computed as a whole.
        """
        order = np.lexsort((np.concatenate((asks.turn, mark_turns)), slots))
        own, is_ask = slots[order], order < len(asks)
        starts = group_starts(own)
        group = group_index(first_rows(starts, len(own)))
        ts, believed = _with_zeros(asks.ts, order), _with_zeros(np.minimum(asks.ts, asks.believed), order)
        latest = running_max(believed, starts, group, self.logs.latest[own[starts]])
        asked = running_sum(is_ask.astype(np.int64), starts, group, self.logs.added[own[starts]])
        ends = is_ask & ((asked % LOOK_EVERY == 0) | (ts <= latest - RETENTION_MS))
        breaks = np.zeros(len(order), np.bool_)
        breaks[1:] = is_ask[:-1] & (ends[:-1] | ~is_ask[1:] | (ts[1:] < ts[:-1]))
        breaks[starts] = False
        return order, running_sum(breaks.astype(np.int64), starts, group)

    def _mark(self, slot: int, mark: Mark) -> None:
        at = self.logs.find_at(slot, mark.order, mark.order_ts)
        if at is not None:
            self.logs.columns["frauds"][at] += mark.change

    def _ask(self, slots: Ints, asks: Asks, telling: bool) -> Floats:
        """The velocities of orders [n], which are sorted by slot and in it by time, once they are entered."""
        starts = group_starts(slots)
        counts = np.append(starts[1:], len(slots)) - starts
        entity = np.repeat(np.arange(len(starts)), counts)
        rank = np.arange(len(slots)) - starts[entity]
        place = self.logs.insert(slots, rank, self._entries(asks))
        touched = slots[starts]
        found = np.zeros((len(self.velocities), len(asks)))
        if telling and self._groups:
            windows = Windows(self.logs, touched, entity, place, asks.ts)
            for places, group in self._groups:
                found[places] = values_of(group, windows)
        self.logs.forget(touched, np.maximum.reduceat(np.minimum(asks.ts, asks.believed), starts))
        return found.T

    def _entries(self, asks: Asks) -> dict[str, NDArray[np.generic]]:
        ones = np.ones(len(asks), np.int64)
        columns: dict[str, NDArray[np.generic]] = {
            "ts": asks.ts,
            "amount": asks.amount,
            "largest": asks.amount,
            "squares": asks.amount.astype(np.float64) ** 2,
            "count": ones,
            "frauds": ones - 1,
            "unusual": ones - 1 if asks.unusual is None else asks.unusual,
            "order": asks.order,
        }
        return columns | {name: asks.entities[:, ENTITY_INDEX[name]] for name in self.logs.attributes}


def _keys(marks: Sequence[Mark]) -> Keys:
    return np.array([mark.key for mark in marks], np.uint64)


def _with_zeros(of_asks: Ints, order: Ints) -> Ints:
    """Values of asks [n], and 0 for marks, in ``order``."""
    padded = np.append(of_asks, 0)
    return np.asarray(padded[np.minimum(order, len(of_asks))])
