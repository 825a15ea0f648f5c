"""The records of one step sorted by user, then by processing order, without those that must not count.

Sorting first makes the rest of the step a matter of runs: a user's records lie side by side, in their order.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from app.effects import Effects
from app.events.records import Records
from app.events.stream_time import MAX_JUMP_MS
from app.features.scan import Flags, Ints, first_rows, group_index, group_starts, previous, running_max
from app.state.rows import RECENT_EVENTS, Rows
from app.state.state import State
from schemas.outputs import FailureType
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

TOPICS = (CLICKSTREAM, ORDERS, LABELS)
CLICK, ORDER, LABEL = range(3)
"""Kinds of records, which are also the precedence of those with the same time: an order sees the click before it."""

_POSITION_BITS = 24


@dataclass(frozen=True, eq=False)
class Batch:
    """Records [n] of all kinds; ``index`` is each one's place in its topic's columns, ``slot`` its user's row.

    ``due`` is the time by which the record finds sessions and histories over: its own, or where it is late, the
    earliest that would not be. So it finds them as a sweep at that moment would leave them. ``accepted`` is the latest
    time that event time took for true at the record.
    """

    kind: NDArray[np.int8]
    index: Ints
    slot: Ints
    ts: Ints
    position: Ints
    due: Ints
    accepted: Ints
    offset: Ints
    id_hash: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.slot)

    @cached_property
    def starts(self) -> Ints:
        """The first record of each user."""
        return group_starts(self.slot)

    @cached_property
    def user(self) -> Ints:
        """Number of each record's user [n], in the order of ``starts``."""
        return group_index(first_rows(self.starts, len(self)))

    @property
    def late(self) -> Flags:
        """Which records are late."""
        return np.asarray(self.due > self.ts)

    def where(self, keep: Flags) -> "Batch":
        """The records that ``keep`` marks."""
        return Batch(
            self.kind[keep],
            self.index[keep],
            self.slot[keep],
            self.ts[keep],
            self.position[keep],
            self.due[keep],
            self.accepted[keep],
            self.offset[keep],
            self.id_hash[keep],
        )


def admit(state: State, records: Records, earliest: Ints, effects: Effects) -> Batch:
    """The records that count, sorted: none late, repeated or in its row already, of which ``effects`` is told."""
    batch = _sorted(state, records, earliest)
    slots = batch.slot
    if state.is_reread(partition for partition, _ in records.partitions):
        batch = _without_applied(state, batch, effects)
    late = batch.late
    if late.any():
        _reject_late(records, batch, effects)
        batch = batch.where(~(late & (batch.kind == CLICK)))
    admitted = _without_repeats(state, records, batch, effects)
    if len(admitted) < len(records):
        state.table.release_unused(np.setdiff1d(slots, admitted.slot))
    return admitted


def _sorted(state: State, records: Records, earliest: Ints) -> Batch:
    parts = [records.topics[topic] for topic in TOPICS]
    users = [user for part in parts for user in part.users]
    slot = state.table.slots(users, np.concatenate([part.partition for part in parts]))
    position = np.concatenate([part.position for part in parts])
    order = ((slot << _POSITION_BITS) | position).argsort()
    hashes = [xxh3_64_intdigest(event.event_id.encode()) for part in parts for event in part.events]
    ts = np.concatenate([part.ts for part in parts])[order]
    earliest = earliest[position[order]]
    return Batch(
        kind=np.repeat(np.arange(3, dtype=np.int8), [len(part) for part in parts])[order],
        index=np.concatenate([np.arange(len(part)) for part in parts])[order],
        slot=slot[order],
        ts=ts,
        position=position[order],
        due=np.maximum(ts, earliest),
        accepted=earliest + (state.table.lifetimes.grace_ms + MAX_JUMP_MS),
        offset=np.concatenate([part.offsets for part in parts])[order],
        id_hash=np.array(hashes, np.uint64)[order],
    )


def _without_applied(state: State, batch: Batch, effects: Effects) -> Batch:
    """Drop records that their user's row includes: they moved event time before, as they do now."""
    applied = state.table.rows["applied"][batch.slot, batch.kind] > batch.offset
    effects.reread += int(applied.sum())
    return batch.where(~applied)


def _reject_late(records: Records, batch: Batch, effects: Effects) -> None:
    """Count what is late; late clicks are rejected, while orders must be judged and labels cannot come in time."""
    for kind in np.unique(batch.kind[batch.late]).tolist():
        effects.late[TOPICS[kind]] = int((batch.late & (batch.kind == kind)).sum())
    lost = batch.late & (batch.kind == CLICK)
    clicks = records.topics[CLICKSTREAM]
    for index in np.sort(batch.index[lost]).tolist():
        message = f"Dated {int(clicks.ts[index])}, before the watermark minus the grace for late events"
        rejected = clicks.reject(index, FailureType.LATE_EVENT, "align", "LateEvent", message)
        effects.rejected.append(rejected)


def _without_repeats(state: State, records: Records, batch: Batch, effects: Effects) -> Batch:
    """Drop records whose event id is among the latest of their user's history, and remember the others' ids.

    Orders that the fan-out found repeated are dropped before: it has counted them once.
    """
    if records.joined is not None and records.joined.repeated.any():
        batch = _without_known(records.joined.repeated, batch, effects)
    starts, group = batch.starts, batch.user
    rows, slots = state.table.rows, batch.slot[starts]
    recent = rows["recent"][slots]
    repeated = (recent[group] == batch.id_hash[:, None]).any(axis=1) | _repeats_within(batch)
    for user in sorted(set(group[repeated].tolist())):
        run = group == user
        row = rows[slots[user]]
        repeated[run] = _repeats_in_run(batch.where(run), row, state.table.lifetimes.history_ms)
    if repeated.any():
        effects.duplicates += int(repeated.sum())
        batch = batch.where(~repeated)
    _remember(state, batch)
    return batch


def _without_known(repeated: Flags, batch: Batch, effects: Effects) -> Batch:
    """Drop the orders that ``repeated`` [orders] marks."""
    known = batch.kind == ORDER
    known[known] = repeated[batch.index[known]]
    effects.duplicates += int(known.sum())
    return batch.where(~known)


def _repeats_within(batch: Batch) -> Flags:
    """Records with the same event id as another of the same user in this batch."""
    order = batch.id_hash.argsort(kind="stable")
    hashes, slots = batch.id_hash[order], batch.slot[order]
    same = (hashes[1:] == hashes[:-1]) & (slots[1:] == slots[:-1])
    repeats = np.zeros(len(batch), np.bool_)
    repeats[order[1:][same]] = True
    return repeats


def _repeats_in_run(run: Batch, row: np.void, history_ms: int) -> list[bool]:
    """One user's records in order against the ring of the latest ids in ``row``, as if each came alone."""
    recent, count = row["recent"].tolist(), int(row["recent_count"])
    latest, before = int(row["last_seen"]), int(row["accepted"])
    repeats = []
    columns = (run.id_hash.tolist(), run.ts.tolist(), run.due.tolist(), run.accepted.tolist())
    for value, ts, due, accepted in zip(*columns, strict=True):
        latest = believed(latest, before, ts, accepted)
        if due - latest > history_ms:
            recent, count = [0] * RECENT_EVENTS, 0
        repeats.append(value in recent)
        if not repeats[-1]:
            recent[count % RECENT_EVENTS] = value
            count += 1
            latest, before = max(latest, ts), accepted
    return repeats


def _remember(state: State, batch: Batch) -> None:
    """Put the ids of ``batch`` into the rings of their users, which begin empty with every history."""
    rows, starts, group = state.table.rows, batch.starts, batch.user
    slots, ends = batch.slot[starts], np.concatenate((starts[1:], [len(batch)]))
    recent, count = rows["recent"][slots], rows["recent_count"][slots].astype(np.int64)
    begun = _over(rows, slots, batch, state.table.lifetimes.history_ms).nonzero()[0]
    recent[group[begun]] = count[group[begun]] = 0
    first = starts.copy()
    np.maximum.at(first, group[begun], begun)
    rank = np.arange(len(batch)) - first[group]
    fits = rank >= np.maximum(0, (ends - first)[group] - RECENT_EVENTS)
    recent[group[fits], (count[group] + rank)[fits] % RECENT_EVENTS] = batch.id_hash[fits]
    rows["recent"][slots] = recent
    rows["recent_count"][slots] = count + ends - first


def lifetimes(rows: Rows, slots: Ints, batch: Batch, history_ms: int) -> tuple[Flags, int | None]:
    """Which users ([users], at ``slots`` of ``rows``) begin anew, and the position where another would in the batch.

    A history ends when its user was quiet for ``history_ms``. A batch is cut there, so that within a piece every
    user has one history.
    """
    over = _over(rows, slots, batch, history_ms)
    fresh = over[batch.starts].copy()
    over[batch.starts] = False
    return fresh, int(batch.position[over].min()) if over.any() else None


def _over(rows: Rows, slots: Ints, batch: Batch, history_ms: int) -> Flags:
    """Which records [n] begin a history."""
    return np.asarray(batch.due - seen_before(rows, slots, batch) > history_ms)


def seen_before(rows: Rows, slots: Ints, batch: Batch) -> Ints:
    """When the user of each record [n] was last seen, the users' rows before the batch being at ``slots`` [users]."""
    last_seen = rows["last_seen"][slots]
    before = previous(running_max(batch.ts, batch.starts, batch.user, last_seen), batch.starts, last_seen)
    misdated = before > np.maximum(batch.ts, batch.accepted)
    for user in np.unique(batch.user[misdated]).tolist() if misdated.any() else ():
        run = batch.user == user
        latest, accepted = int(last_seen[user]), int(rows["accepted"][slots[user]])
        believable = []
        for ts, limit in zip(batch.ts[run].tolist(), batch.accepted[run].tolist(), strict=True):
            believable.append(believed(latest, accepted, ts, limit))
            latest, accepted = max(believable[-1], ts), limit
        before[run] = believable
    return before


def believed(latest: int, accepted: int, ts: int, limit: int) -> int:
    """When a user was last seen, if the record that comes next contradicts it: ``accepted`` then, not ``latest``.

    Args:
        latest: of the times of the user's records.
        accepted: the latest time that was taken for true at the record before.
        ts: of the record that comes next.
        limit: the latest time that is taken for true at that one.
    """
    return accepted if latest > max(ts, limit) else latest


def split(batch: Batch, position: int) -> tuple[Batch, Batch]:
    """The records before ``position`` and the others."""
    first = batch.position < position
    return batch.where(first), batch.where(~first)
