"""The logs of entities of all kinds: ragged runs in shared columns, so that a batch is read and written as a whole.

A log lies in a region of the columns whose size is a power of two; it moves to a larger one when it is full. What is
older than the longest window leaves at the front. Entries are sorted by time; those of one time keep their order.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.features.scan import Ints, ragged, run_lengths
from app.velocity.coarsen import coarsened
from app.velocity.definitions import RETENTION_MS
from app.velocity.entities import ENTITIES, ENTITY_INDEX, Keys

Columns = dict[str, NDArray[Any]]

FIELDS: dict[str, Any] = {
    "ts": np.int64,  # ms; of a coarse entry its latest order's
    "amount": np.int64,  # 1e-4 major units, of all its orders
    "largest": np.int64,  # of its orders
    "squares": np.float64,  # of its orders' amounts
    "count": np.int64,  # 1, but in coarse entries
    "frauds": np.int64,  # of its orders, those that labels call bad
    "unusual": np.int64,  # of its orders, those of an unusual amount for their user
    "order": np.uint64,  # key of the order, 0 in coarse entries
}

MOST_ENTRIES = 3_072
"""A log longer than this becomes coarse at its next look."""
LOOK_EVERY = 1_024
"""Orders of an entity between two looks at the length of its log: by them alone, so that it does not matter how they
were cut into batches."""

_SMALLEST = 4
_FIRST_ENTITIES, _FIRST_ENTRIES = 1_024, 8_192


@dataclass(frozen=True, slots=True, eq=False)
class StoredLogs:
    """The logs of some entities [n], apart from a table: their keys, kinds, lengths, orders so far and latest believed
    times, and the ``columns`` of their entries one log after the other."""

    keys: Keys
    kind: Ints
    length: Ints
    added: Ints
    latest: Ints
    columns: Columns


class EntityLogs:
    """Logs by entity key.

    ``columns`` have one value per entry: `FIELDS`, and the keys of other entities of the same order; of which kinds
    those are differs with the kind of the log's own entity, see ``other_kinds``.

    Args:
        others: by kind of entity the kinds of the others that its logs tell.
    """

    def __init__(self, others: Mapping[str, Sequence[str]]) -> None:
        width = max(map(len, others.values()), default=0)
        self.others = tuple(f"other{place}" for place in range(width))
        self.other_kinds = np.full((len(ENTITIES), width), len(ENTITIES))
        """By kind of entity [kinds, others] of which kind each other is; the number of all kinds where none is told."""
        for kind, told in others.items():
            self.other_kinds[ENTITY_INDEX[kind], : len(told)] = [ENTITY_INDEX[other] for other in told]
        names = {**FIELDS, **dict.fromkeys(self.others, np.uint64)}
        self.columns: Columns = {name: np.zeros(_FIRST_ENTRIES, dtype) for name, dtype in names.items()}
        self.coarse = 0
        """How often a log was made coarse."""
        self._slots: dict[int, int] = {}
        self._free_slots = list(range(_FIRST_ENTITIES - 1, -1, -1))
        self._regions: defaultdict[int, list[int]] = defaultdict(list)
        self._used = 0
        self.keys = np.zeros(_FIRST_ENTITIES, np.uint64)  # 0: nobody's
        self.kind = np.zeros(_FIRST_ENTITIES, np.int64)
        self.start = np.zeros(_FIRST_ENTITIES, np.int64)  # of the first entry
        self.length = np.zeros(_FIRST_ENTITIES, np.int64)
        self.base = np.zeros(_FIRST_ENTITIES, np.int64)  # of the region
        self.room = np.zeros(_FIRST_ENTITIES, np.int64)  # of the region
        self.added = np.zeros(_FIRST_ENTITIES, np.int64)  # orders so far
        self.latest = np.zeros(_FIRST_ENTITIES, np.int64)  # believed time of the latest order, ms
        self.home = np.zeros(_FIRST_ENTITIES, np.int64)  # the partition it belongs to, where that is told

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def entries(self) -> int:
        """Entries of all logs."""
        return int(self.length.sum())

    def other(self, kind: int, of: int) -> str:
        """In which column the logs of a kind of entity have the keys of another kind."""
        told: list[int] = self.other_kinds[kind].tolist()
        return self.others[told.index(of)]

    def sizes(self, kind: int) -> tuple[int, int]:
        """How many entities of a kind there are, and entries of theirs."""
        mine = (self.kind == kind) & (self.keys != 0)
        return int(mine.sum()), int(self.length[mine].sum())

    def slots(self, keys: Keys, kinds: Ints) -> Ints:
        """The slots of ``keys`` [n] of ``kinds`` [n]; those that have none get an empty log."""
        listed = keys.tolist()
        found = np.fromiter(map(self._slots.get, listed, repeat(-1)), np.int64, len(listed))
        for index in (found < 0).nonzero()[0].tolist():
            found[index] = self._slot_or_new(listed[index], int(kinds[index]))
        return found

    def known(self, keys: Keys) -> Ints:
        """The slots of ``keys`` [n], -1 where there is none."""
        return np.fromiter(map(self._slots.get, keys.tolist(), repeat(-1)), np.int64, len(keys))

    def find(self, slot: int, order: int) -> int | None:
        """Where the latest entry of an order lies in the columns."""
        live = self._live(slot)
        found = np.flatnonzero(self.columns["order"][live] == np.uint64(order))
        return int(live.start + found[-1]) if len(found) else None

    def find_at(self, slot: int, order: int, ts: int) -> int | None:
        """Where the entry of an order of ``ts`` lies, or the coarse entry that includes it."""
        live = self._live(slot)
        times, orders = self.columns["ts"][live], self.columns["order"][live]
        first, stop = int(times.searchsorted(ts)), int(times.searchsorted(ts, "right"))
        found = np.flatnonzero(orders[first:stop] == np.uint64(order))
        if len(found):
            return int(live.start + first + found[-1])
        is_coarse = first < len(times) and self.columns["count"][live.start + first] > 1
        return int(live.start + first) if is_coarse else None

    def _live(self, slot: int) -> slice:
        start = int(self.start[slot])
        return slice(start, start + int(self.length[slot]))

    def insert(self, slots: Ints, rank: Ints, new: Columns) -> Ints:
        """Enter orders [n], which are sorted by slot and in it by time; tells where each lies in its log [n].

        Args:
            slots: of their entities.
            rank: of each among the new ones of its entity.
            new: their columns.
        """
        starts = (rank == 0).nonzero()[0]
        touched = slots[starts]
        counts = run_lengths(starts, len(slots))
        self._make_room(touched, counts)
        lengths = self.length[touched]
        place: Ints = lengths.repeat(counts) + rank
        at = self.start[slots] + place
        for name, column in self.columns.items():
            column[at] = new[name]
        last = self.columns["ts"][np.maximum(self.start[touched] + lengths - 1, 0)]
        late = (lengths > 0) & (last > new["ts"][starts])
        for index in late.nonzero()[0].tolist():
            run = slice(int(starts[index]), int(starts[index] + counts[index]))
            place[run] = self._sort(int(touched[index]), new["ts"][run])
        self.length[touched] = lengths + counts
        self.added[touched] += counts
        return place

    def forget(self, touched: Ints, believed: Ints) -> None:
        """Drop what is out of every window of entities ``touched`` [n] whose latest order is of ``believed`` [n]."""
        lengths = self.length[touched]
        latest = np.maximum(self.latest[touched], believed)
        self.latest[touched] = latest
        old = self.columns["ts"][self.start[touched]] <= latest - RETENTION_MS
        for slot in touched[old & (lengths > 0)].tolist():
            start, length = int(self.start[slot]), int(self.length[slot])
            horizon = self.latest[slot] - RETENTION_MS
            gone = int(self.columns["ts"][start : start + length].searchsorted(horizon, "right"))
            self.start[slot] += gone
            self.length[slot] -= gone
        long = touched[self.length[touched] > MOST_ENTRIES]
        for slot in long[self.added[long] % LOOK_EVERY == 0].tolist():
            self._coarsen(slot)

    def expire(self, before: int | Ints) -> Keys:
        """Forget entities without an order since ``before`` (ms, one or by slot); tells their keys."""
        gone = np.flatnonzero((self.keys != 0) & (self.latest <= before))
        keys = self.keys[gone]
        self.remove(gone)
        return keys

    def remove(self, slots: Ints) -> None:
        """Forget the entities of ``slots`` [n]."""
        for key in self.keys[slots].tolist():
            del self._slots[key]
        rooms, bases = self.room[slots], self.base[slots]
        for room in np.unique(rooms[rooms > 0]).tolist():
            self._regions[room].extend(bases[rooms == room].tolist())
        for column in (self.keys, self.kind, self.length, self.room, self.added, self.latest, self.home):
            column[slots] = 0
        self._free_slots.extend(slots.tolist())

    def stored(self, slots: Ints) -> StoredLogs:
        """A copy of the logs of ``slots`` [n]."""
        lengths = self.length[slots]
        at = ragged(self.start[slots], lengths)
        columns = {name: column[at] for name, column in self.columns.items()}
        return StoredLogs(self.keys[slots], self.kind[slots], lengths, self.added[slots], self.latest[slots], columns)

    def restore(self, stored: StoredLogs, home: int) -> None:
        """Take over logs of entities that are not here, of partition ``home``."""
        count = len(stored.keys)
        while len(self._free_slots) < count:
            self._grow()
        slots = np.array([self._free_slots.pop() for _ in range(count)], np.int64)
        self._slots.update(zip(stored.keys.tolist(), slots.tolist(), strict=True))
        self.keys[slots], self.kind[slots], self.home[slots] = stored.keys, stored.kind, home
        self.length[slots], self.added[slots], self.latest[slots] = stored.length, stored.added, stored.latest
        rooms = 1 << np.ceil(np.log2(np.maximum(stored.length, _SMALLEST))).astype(np.int64)
        self.room[slots], self.base[slots] = rooms, self._bulk_regions(rooms)
        self.start[slots] = self.base[slots]
        at = ragged(self.start[slots], stored.length)
        for name, column in self.columns.items():
            column[at] = stored.columns[name]

    def _bulk_regions(self, rooms: Ints) -> Ints:
        """Where regions of ``rooms`` entries each lie, the free ones first."""
        bases = np.zeros(len(rooms), np.int64)
        for room in np.unique(rooms).tolist():
            wanted = np.flatnonzero(rooms == room)
            free = [self._regions[room].pop() for _ in range(min(len(wanted), len(self._regions[room])))]
            fresh = self._used + room * np.arange(len(wanted) - len(free))
            bases[wanted] = np.concatenate((np.array(free, np.int64), fresh))
            self._used += room * len(fresh)
        self._extend()
        return bases

    def _coarsen(self, slot: int) -> None:
        start, length = int(self.start[slot]), int(self.length[slot])
        live = slice(start, start + length)
        merged = coarsened({name: column[live] for name, column in self.columns.items()}, int(self.latest[slot]))
        kept = len(merged["ts"])
        for name, column in merged.items():
            self.columns[name][start : start + kept] = column
        self.length[slot] = kept
        self.coarse += 1

    def _sort(self, slot: int, ts: Ints) -> Ints:
        """Sort a log whose last entries, of ``ts`` [k], are late; tells where in it they are then."""
        start, before = int(self.start[slot]), int(self.length[slot])
        live = slice(start, start + before + len(ts))
        place = self.columns["ts"][start : start + before].searchsorted(ts, "right") + np.arange(len(ts))
        order = self.columns["ts"][live].argsort(kind="stable")
        for column in self.columns.values():
            column[live] = column[live][order]
        return np.asarray(place)

    def _make_room(self, touched: Ints, counts: Ints) -> None:
        """Move logs to where ``counts`` more entries fit behind them."""
        needed = self.length[touched] + counts
        full = self.start[touched] + needed > self.base[touched] + self.room[touched]
        if not full.any():
            return
        moving, needed = touched[full], needed[full]
        old_start, lengths = self.start[moving].copy(), self.length[moving]
        for slot, size in zip(moving.tolist(), needed.tolist(), strict=True):
            self._release(slot)
            room = max(_SMALLEST, 1 << (size * 3 // 2 - 1).bit_length())
            self.base[slot] = self._region(room)
            self.room[slot] = room
        self.start[moving] = self.base[moving]
        source, target = ragged(old_start, lengths), ragged(self.start[moving], lengths)
        for column in self.columns.values():
            column[target] = column[source]  # regions of logs that move may change hands: read before written

    def _region(self, room: int) -> int:
        if self._regions[room]:
            return self._regions[room].pop()
        base, self._used = self._used, self._used + room
        self._extend()
        return base

    def _extend(self) -> None:
        """Make the columns as long as what is used of them."""
        size = len(self.columns["ts"])
        if self._used > size:
            more = max(self._used, size + size // 2) - size
            for name, column in self.columns.items():
                self.columns[name] = np.concatenate((column, np.zeros(more, column.dtype)))

    def _release(self, slot: int) -> None:
        if self.room[slot]:
            self._regions[int(self.room[slot])].append(int(self.base[slot]))

    def _slot_or_new(self, key: int, kind: int) -> int:
        slot = self._slots.get(key)
        if slot is None:
            if not self._free_slots:
                self._grow()
            slot = self._slots[key] = self._free_slots.pop()
            self.keys[slot], self.kind[slot] = key, kind
        return slot

    def _grow(self) -> None:
        old = len(self.keys)
        for name in ("keys", "kind", "start", "length", "base", "room", "added", "latest", "home"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros(old, column.dtype))))
        self._free_slots.extend(range(2 * old - 1, old - 1, -1))
