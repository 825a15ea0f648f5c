"""The live state of a worker: a row per user, in columns, with what does not fit a fixed layout beside it."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat

import numpy as np
from numpy.typing import NDArray

from app.events.stream_time import MAX_JUMP_MS
from app.state.order_log import OrderLog
from app.state.rows import LAYOUT, ROW, Rows
from app.state.standing import Standing

_TAIL = struct.Struct("<HHHH")  # lengths: session id, last event id (bytes), order log (integers), standing (bytes)
_GROWTH = 1.25
_FIRST_CAPACITY = 1024
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things live, in ms of event time: the session gap, the history, and the grace of late events."""

    gap_ms: int
    history_ms: int
    grace_ms: int


class CorruptRow(ValueError):
    """A stored row that does not have the layout of this version."""


@dataclass(frozen=True, slots=True)
class Change:
    """Changed rows of one partition: keys and values [n]; the value None deletes."""

    partition: int
    keys: list[bytes]
    values: list[bytes | None]


class UserTable:
    """Rows of users by key, of any number of partitions.

    ``rows`` [capacity] of ``ROW``, ``partitions`` [capacity] and ``deadlines`` [capacity] are indexed by slot;
    partition -1 marks a free slot. A deadline is the watermark (ms) beyond which an open session closes, or else the
    row goes; whatever the times in a row, it comes a history's time after the latest that was accepted.
    """

    def __init__(self, lifetimes: Lifetimes) -> None:
        self.lifetimes = lifetimes
        self.rows: Rows = np.zeros(_FIRST_CAPACITY, ROW)
        self.partitions = np.full(_FIRST_CAPACITY, -1, np.int32)
        self.deadlines = np.full(_FIRST_CAPACITY, _NEVER, np.int64)
        self.users: list[str] = [""] * _FIRST_CAPACITY
        self.session_ids: list[str] = [""] * _FIRST_CAPACITY
        self.last_event_ids: list[str] = [""] * _FIRST_CAPACITY
        self.logs: dict[int, OrderLog] = {}
        self.standings: dict[int, Standing] = {}
        self._slots: dict[str, int] = {}
        self._free: list[int] = list(range(_FIRST_CAPACITY - 1, -1, -1))

    def __len__(self) -> int:
        return len(self._slots)

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Rows and open sessions of each partition."""
        used = self.partitions >= 0
        rows = np.bincount(self.partitions[used])
        sessions = np.bincount(self.partitions[used], weights=self.rows["open"][used])
        return {p: (int(rows[p]), int(sessions[p])) for p in np.flatnonzero(rows).tolist()}

    @property
    def bytes_per_row(self) -> int:
        """Bytes of a row's fixed part."""
        return int(ROW.itemsize)

    def slot(self, user: str) -> int | None:
        """The slot of ``user``, if it has a row."""
        return self._slots.get(user)

    def slots(self, users: Sequence[str], partitions: NDArray[np.int32]) -> NDArray[np.int64]:
        """The slot of each of ``users`` [n]; whoever has none gets an empty row in its partition."""
        found = np.fromiter(map(self._slots.get, users, repeat(-1)), np.int64, len(users))
        for index in (found < 0).nonzero()[0].tolist():
            found[index] = self._slot_or_new(users[index], int(partitions[index]))
        return found

    def write(self, slots: NDArray[np.int64], rows: Rows) -> None:
        """Put ``rows`` [n] at ``slots`` [n] and renew their deadlines."""
        self.rows[slots] = rows
        deadlines = np.minimum(self._ends(rows), rows["accepted"] + self.lifetimes.history_ms + self.lifetimes.grace_ms)
        deadlines[(rows["frozen_at"] > 0) & (rows["open"] == 0)] = _NEVER  # a freeze outlives every history
        self.deadlines[slots] = deadlines

    def due(self, watermarks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Slots whose deadline the watermark of their partition ([partitions], ms) has passed."""
        slots = (self.deadlines < watermarks.max(initial=0)).nonzero()[0]
        return np.asarray(slots[self.over(slots, watermarks[self.partitions[slots]])])

    def over(self, slots: NDArray[np.int64], watermarks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of ``slots`` [n] have a deadline that the watermark of each ([n], ms) has passed."""
        over = np.asarray(self.deadlines[slots] < watermarks)
        if over.any():
            over[over] = ~self._caught_up(slots[over], watermarks[over])
        return over

    def _caught_up(self, slots: NDArray[np.int64], watermarks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of ``slots`` event time has come near of, after it had not accepted their times; they live on."""
        rows = self.rows[slots]
        ends, seen = self._ends(rows), np.maximum(rows["last_seen"], rows["last_click"])
        found = np.asarray((ends >= watermarks) & (seen <= watermarks + MAX_JUMP_MS))
        self.deadlines[slots[found]] = ends[found]
        return found

    def _ends(self, rows: Rows) -> NDArray[np.int64]:
        """The watermarks beyond which ``rows`` [n] are over by their own times."""
        lives = self.lifetimes
        ends = np.where(rows["open"] == 1, rows["last_click"] + lives.gap_ms, rows["last_seen"] + lives.history_ms)
        return np.asarray(ends + lives.grace_ms)

    def changes(self, slots: NDArray[np.int64]) -> list[Change]:
        """The rows at ``slots`` as stored values, by partition."""
        slots, bounds = self._by_partition(slots)
        listed = slots.tolist()
        users = self.users
        keys = [users[slot].encode() for slot in listed]
        values = self._values(slots, listed)
        return [Change(partition, keys[run], values[run]) for partition, run in bounds]

    def delete(self, slots: NDArray[np.int64]) -> list[Change]:
        """Free ``slots``; tells the tombstones, by partition."""
        slots, bounds = self._by_partition(slots)
        keys = [self.users[slot].encode() for slot in slots.tolist()]
        self._free_slots(slots)
        return [Change(partition, keys[run], [None] * len(keys[run])) for partition, run in bounds]

    def _by_partition(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[int, slice]]]:
        """``slots`` sorted by partition, in their order within one, and where each partition's are."""
        owners = self.partitions[slots]
        order = owners.argsort(kind="stable")
        owners = owners[order]
        bounds = [0, *((owners[1:] != owners[:-1]).nonzero()[0] + 1).tolist(), len(slots)]
        return slots[order], [(int(owners[start]), slice(start, stop)) for start, stop in pairwise(bounds) if stop]

    def release_unused(self, slots: NDArray[np.int64]) -> None:
        """Free those of the distinct ``slots`` that no event has been counted in."""
        self._free_slots(slots[self.rows["last_seen"][slots] == 0])

    def load(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> NDArray[np.int64]:
        """Take rows over from a store or changelog, whole batches at a time; None deletes. Tells the rows' slots.

        Raises:
            CorruptRow: if a value does not have this version's layout.
        """
        latest = dict(zip(keys, values, strict=True))
        gone = [
            self._slots[user]
            for user in _texts(key for key, value in latest.items() if value is None)
            if user in self._slots
        ]
        self._free_slots(np.array(gone, np.int64))
        kept = {key: value for key, value in latest.items() if value is not None}
        users = _texts(kept)
        slots = self.slots(users, np.full(len(users), partition, np.int32))
        self._fill(slots, list(kept.values()))
        return slots

    def log(self, slot: int) -> OrderLog:
        """The order log of the row at ``slot``; a new one if it has none."""
        log = self.logs.get(slot)
        if log is None:
            log = self.logs[slot] = OrderLog()
        return log

    def standing(self, slot: int) -> Standing:
        """The standing of the row at ``slot``; a new one if it has none."""
        standing = self.standings.get(slot)
        if standing is None:
            standing = self.standings[slot] = Standing()
        return standing

    def begin_anew(self, slot: int) -> None:
        """Forget what lies beside the fixed part of a row whose history begins anew, but for a freeze."""
        standing = self.standings.get(slot)
        self.clear_beside(slot)
        if standing is not None and (kept := standing.begun_anew()):
            self.standings[slot] = kept

    def clear_beside(self, slot: int) -> None:
        """Forget what lies beside the fixed part of a row."""
        self.session_ids[slot] = self.last_event_ids[slot] = ""
        self.logs.pop(slot, None)
        self.standings.pop(slot, None)

    def drop(self, partition: int) -> None:
        """Forget every row of ``partition``."""
        self._free_slots(np.flatnonzero(self.partitions == partition))

    def value(self, user: str) -> bytes | None:
        """The row of ``user`` as stored."""
        slot = self._slots.get(user)
        return None if slot is None else self._values(np.array([slot]), [slot])[0]

    def _values(self, slots: NDArray[np.int64], listed: list[int]) -> list[bytes | None]:
        rows = self.rows[slots]
        rows["layout"] = LAYOUT
        buffer, size = rows.tobytes(), ROW.itemsize
        ids, events, logs, standings = self.session_ids, self.last_event_ids, self.logs, self.standings
        return [
            buffer[at : at + size]
            + _tail(
                ids[slot], events[slot], logs.get(slot) if logs else None, standings.get(slot) if standings else None
            )
            for at, slot in zip(range(0, len(buffer), size), listed, strict=True)
        ]

    def _fill(self, slots: NDArray[np.int64], values: list[bytes]) -> None:
        size = ROW.itemsize
        if any(len(value) < size + _TAIL.size for value in values):
            raise CorruptRow(f"A row has less than {size + _TAIL.size} bytes")
        if other := {value[0] for value in values} - {LAYOUT}:
            raise CorruptRow(f"A row has layout version {min(other)}; this build reads version {LAYOUT}")
        fixed = b"".join([value[:size] for value in values])
        self.write(slots, np.frombuffer(fixed, ROW))
        for slot, value in zip(slots.tolist(), values, strict=True):
            self._fill_tail(slot, value[size:])

    def _fill_tail(self, slot: int, tail: bytes) -> None:
        session, event, numbers, standing = _TAIL.unpack_from(tail)
        if len(tail) != _TAIL.size + session + event + 8 * numbers + standing:
            raise CorruptRow(f"A row's tail has {len(tail)} bytes, which its lengths do not explain")
        at = _TAIL.size
        self.session_ids[slot] = tail[at : at + session].decode()
        self.last_event_ids[slot] = tail[at + session : at + session + event].decode()
        at += session + event
        if numbers:
            self.logs[slot] = OrderLog.unpacked(tail[at : at + 8 * numbers])
        else:
            self.logs.pop(slot, None)
        if standing:
            self.standings[slot] = Standing.unpacked(tail[at + 8 * numbers :])
        else:
            self.standings.pop(slot, None)

    def _slot_or_new(self, user: str, partition: int) -> int:
        slot = self._slots.get(user)
        if slot is None:
            if not self._free:
                self._grow()
            slot = self._slots[user] = self._free.pop()
            self.users[slot] = user
            self.partitions[slot] = partition
        return slot

    def _grow(self) -> None:
        old = len(self.rows)
        new = int(old * _GROWTH) + _FIRST_CAPACITY
        rows = np.zeros(new, ROW)
        rows[:old] = self.rows
        self.rows = rows
        self.partitions = np.concatenate([self.partitions, np.full(new - old, -1, np.int32)])
        self.deadlines = np.concatenate([self.deadlines, np.full(new - old, _NEVER, np.int64)])
        for texts in (self.users, self.session_ids, self.last_event_ids):
            texts.extend([""] * (new - old))
        self._free.extend(range(new - 1, old - 1, -1))

    def _free_slots(self, slots: NDArray[np.int64]) -> None:
        self.rows[slots] = np.zeros((), ROW)
        self.partitions[slots] = -1
        self.deadlines[slots] = _NEVER
        for slot in slots.tolist():
            del self._slots[self.users[slot]]
            self.users[slot] = ""
            self.clear_beside(slot)
            self._free.append(slot)


def _texts(keys: Iterable[bytes]) -> list[str]:
    return [key.decode() for key in keys]


def _tail(session_id: str, event_id: str, log: OrderLog | None, standing: Standing | None) -> bytes:
    session, event = session_id.encode(), event_id.encode()
    numbers = b"" if log is None else log.packed()
    past = b"" if standing is None else standing.packed()
    return _TAIL.pack(len(session), len(event), len(numbers) // 8, len(past)) + session + event + numbers + past


def check_value(value: bytes) -> bool:
    """Whether a stored value has this version's layout."""
    if len(value) < ROW.itemsize + _TAIL.size or value[0] != LAYOUT:
        return False
    session, event, numbers, standing = _TAIL.unpack_from(value, ROW.itemsize)
    return len(value) == int(ROW.itemsize + _TAIL.size + session + event + 8 * numbers + standing)
