"""Entities of several kinds: their logs, and the velocities that are computed at them, for all kinds at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.features.scan import Flags, Ints, first_rows, group_index, group_starts, run_lengths, running_max, running_sum
from app.velocity.aggregates import values_of
from app.velocity.definitions import RETENTION_MS, Velocity
from app.velocity.entities import ENTITIES, USER, Keys
from app.velocity.logs import LOOK_EVERY, Columns, EntityLogs
from app.velocity.plan import plans
from app.velocity.records import Asks, Mark
from app.velocity.windows import Floats, Windows

_AT_ONCE = 1_024
"""Orders at entities that are computed at once: so many as stay in the caches of a processor."""
_SLOT_BITS = 40  # more than entities fit into memory


@dataclass(frozen=True, slots=True, eq=False)
class _Met:
    """Orders at their entities [m], one kind of entity after the other: by ``order`` which of the orders each is."""

    order: Ints
    kind: Ints
    slot: Ints
    ts: Ints
    believed: Ints

    def where(self, rows: Ints | slice) -> "_Met":
        """Some of them."""
        return _Met(self.order[rows], self.kind[rows], self.slot[rows], self.ts[rows], self.believed[rows])


class EntityTable:
    """What happened at entities.

    Args:
        velocities: that can be wanted, and are so at first.
    """

    def __init__(self, velocities: Sequence[Velocity]) -> None:
        self.logs = EntityLogs(_told_of(velocities))
        self.use(velocities)

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Compute these from now on, of those that can be wanted; what they look at is remembered in any case."""
        self._plans = plans(velocities)
        self._width = len(velocities)

    def apply(self, asks: Asks, named: Flags, marks: Sequence[Mark], telling: bool = True) -> Floats:
        """Take orders and marks in, in their turns.

        Args:
            asks: the orders [n].
            named: at which of their entities [n, kinds].
            marks: of the kinds that are kept here.
            telling: whether anything is computed; it is cheaper without.

        Returns:
            The velocities of the orders [n, velocities], NaN where they are not ``named`` at such an entity.
        """
        values = np.full(self._width * len(asks), np.nan)  # one velocity after the other
        met = self._met(asks, named)
        slots = np.concatenate((met.slot, self._slots(marks)))
        order, rounds = self._rounds(slots, met, asks.turn, marks)
        for number in range(int(rounds.max(initial=-1)) + 1):
            ops = order[rounds == number]
            for op in ops[ops >= len(met.order)].tolist():
                self._mark(int(slots[op]), marks[op - len(met.order)])
            rows = ops[ops < len(met.order)]
            if len(rows):
                self._ask(met.where(rows), asks, values if telling else None)
        return values.reshape(self._width, len(asks)).T

    def _met(self, asks: Asks, named: Flags) -> _Met:
        kind, order = named.T.nonzero()
        slots = self.logs.slots(asks.entities[order, kind], kind)
        ts = asks.ts[order]
        return _Met(order, kind, slots, ts, np.minimum(ts, asks.believed[order]))

    def _slots(self, marks: Sequence[Mark]) -> Ints:
        keys = np.array([mark.key for mark in marks], np.uint64)
        return self.logs.slots(keys, np.array([mark.kind for mark in marks], np.int64))

    def _rounds(self, slots: Ints, met: _Met, ask_turns: Ints, marks: Sequence[Mark]) -> tuple[Ints, Ints]:
        """Orders, then marks by their indices in an order, and the round of each in which it goes.

        Within a round every entity has its marks before its orders, and those in order of time; nothing is forgotten
        that one of them would see, and no log becomes coarse. So a round can be computed as a whole.
        """
        kinds = np.concatenate((met.kind, np.array([mark.kind for mark in marks], np.int64)))
        turns = np.concatenate((ask_turns[met.order], np.array([mark.turn for mark in marks], np.int64)))
        order = np.lexsort((turns, (kinds << _SLOT_BITS) + slots))
        own, is_ask = slots[order], order < len(met.order)
        starts = group_starts(own)
        group = group_index(first_rows(starts, len(own)))
        ts, believed = _with_zeros(met.ts, order), _with_zeros(met.believed, order)
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

    def _ask(self, met: _Met, asks: Asks, values: Floats | None) -> None:
        """Enter orders, sorted by entity and in it by time, and put what is computed at them into ``values``."""
        starts = group_starts(met.slot)
        counts = run_lengths(starts, len(met.slot))
        place = self.logs.insert(met.slot, np.arange(len(met.slot)) - starts.repeat(counts), self._entries(met, asks))
        if values is not None and self._width:
            for part in _parts(starts, len(place)):
                self._compute(met.where(part), place[part], values, len(asks))
        self.logs.forget(met.slot[starts], np.maximum.reduceat(met.believed, starts))

    def _compute(self, met: _Met, place: Ints, values: Floats, asks: int) -> None:
        """Put what is computed at orders into ``values`` [velocities * asks]."""
        for plan in self._plans:
            rows = plan.looks_at[met.kind].nonzero()[0]
            if len(rows):
                own = met.where(rows)
                windows = Windows(self.logs, own.slot, own.kind, place[rows], own.ts)
                spans = plan.spans(windows)
                found = np.concatenate([values_of(group, windows, spans.of(group)) for group in plan.groups])
                begins = (plan.columns * asks).repeat(spans.bounds[1:] - spans.bounds[:-1])
                values[begins + own.order[spans.orders]] = found

    def _entries(self, met: _Met, asks: Asks) -> Columns:
        amount, ones = asks.amount[met.order], np.ones(len(met.order), np.int64)
        columns: dict[str, NDArray[Any]] = {
            "ts": met.ts,
            "amount": amount,
            "largest": amount,
            "squares": amount.astype(np.float64) ** 2,
            "count": ones,
            "frauds": ones - 1,
            "unusual": ones - 1 if asks.unusual is None else asks.unusual[met.order],
            "order": asks.order[met.order],
        }
        entities = np.concatenate((asks.entities, np.zeros((len(asks), 1), np.uint64)), axis=1)
        others: Keys = entities[met.order[:, None], self.logs.other_kinds[met.kind]]
        return columns | dict(zip(self.logs.others, others.T, strict=True))


def _parts(starts: Ints, total: int) -> Iterator[slice]:
    """So many rows at once as the processor's caches hold, all of an entity in one part."""
    bounds = [0]
    for start in starts[starts.searchsorted(np.arange(_AT_ONCE, total, _AT_ONCE)).clip(max=len(starts) - 1)].tolist():
        if start > bounds[-1]:
            bounds.append(start)
    yield from (slice(*bound) for bound in pairwise([*bounds, total]))


def _told_of(velocities: Sequence[Velocity]) -> dict[str, list[str]]:
    """By kind of entity which others its logs tell: those that some velocity counts, and of users all.

    A user's log is also where the entities of an order are looked up when its label comes.
    """
    found: dict[str, list[str]] = {}
    for velocity in velocities:
        told = found.setdefault(velocity.entity, [])
        if velocity.of and velocity.of not in told:
            told.append(velocity.of)
    return found | {ENTITIES[USER]: [*ENTITIES]} if ENTITIES[USER] in found else found


def _with_zeros(of_asks: Ints, order: Ints) -> Ints:
    """Values of asks [n], and 0 for marks, in ``order``."""
    padded = np.concatenate((of_asks, np.zeros(1, np.int64)))
    return np.asarray(padded[np.minimum(order, len(of_asks))])
