"""The records of one step sorted by user, then by processing order, without those that must not count.

Sorting first makes the rest of the step a matter of runs: a user's records lie side by side, in their order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from app.effects import Effects
from app.events.records import Records
from app.features.scan import Flags, Ints, group_index, group_starts, ranks, running_max
from app.state.rows import RECENT_EVENTS, Rows
from app.state.state import State
from schemas.outputs import FailureType
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

TOPICS = (CLICKSTREAM, ORDERS, LABELS)
CLICK, ORDER, LABEL = range(3)
"""Kinds of records, which are also the precedence of those with the same time: an order sees the click before it."""

_POSITION_BITS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Records [n] of all kinds; ``index`` is each one's place in its topic's columns, ``slot`` its user's row.

    ``due`` is the time by which the record finds sessions and histories over: its own, or where it is late, the
    earliest that would not be. So it finds them as a sweep at that moment would leave them.
    """

    kind: NDArray[np.int8]
    index: Ints
    slot: Ints
    ts: Ints
    position: Ints
    due: Ints
    id_hash: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.slot)

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
            self.id_hash[keep],
        )


def admit(state: State, records: Records, earliest: Ints, effects: Effects) -> Batch:
    """The records that count, sorted: without late clicks and repeated event ids, which ``effects`` is told of."""
    batch = _sorted(state, records, earliest)
    slots, late = batch.slot, batch.late
    if late.any():
        _reject_late(records, batch, effects)
        batch = batch.where(~(late & (batch.kind == CLICK)))
    admitted = _without_repeats(state, batch, effects)
    if len(admitted) < len(records):
        state.table.release_unused(np.setdiff1d(slots, admitted.slot))
    return admitted


def _sorted(state: State, records: Records, earliest: Ints) -> Batch:
    parts = [records.topics[topic] for topic in TOPICS]
    users = [user for part in parts for user in part.users]
    slot = state.table.slots(users, np.concatenate([part.partition for part in parts]))
    position = np.concatenate([part.position for part in parts])
    order = np.argsort((slot << _POSITION_BITS) | position)
    hashes = [xxh3_64_intdigest(event.event_id.encode()) for part in parts for event in part.events]
    ts = np.concatenate([part.ts for part in parts])[order]
    return Batch(
        kind=np.repeat(np.arange(3, dtype=np.int8), [len(part) for part in parts])[order],
        index=np.concatenate([np.arange(len(part)) for part in parts])[order],
        slot=slot[order],
        ts=ts,
        position=position[order],
        due=np.maximum(ts, earliest[position[order]]),
        id_hash=np.array(hashes, np.uint64)[order],
    )


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


def _without_repeats(state: State, batch: Batch, effects: Effects) -> Batch:
    """Drop records whose event id is among the user's latest, and remember the others' ids."""
    starts = group_starts(batch.slot)
    group = group_index(_marks(starts, len(batch)))
    slots = batch.slot[starts]
    recent, count = state.table.rows["recent"][slots], state.table.rows["recent_count"][slots].astype(np.int64)
    repeated = (recent[group] == batch.id_hash[:, None]).any(axis=1) | _repeats_within(batch)
    for user in np.unique(group[repeated]).tolist():
        run = np.flatnonzero(group == user)
        repeated[run] = _repeats_in_run(batch.id_hash[run].tolist(), recent[user].tolist(), int(count[user]))
    if repeated.any():
        effects.duplicates += int(repeated.sum())
        batch = batch.where(~repeated)
        group = group[~repeated]
    if len(batch):
        _remember(batch, group, recent, count)
        state.table.rows["recent"][slots] = recent
        state.table.rows["recent_count"][slots] = count
    return batch


def _marks(starts: Ints, n: int) -> Flags:
    marks = np.zeros(n, np.bool_)
    marks[starts] = True
    return marks


def _repeats_within(batch: Batch) -> Flags:
    """Records with the same event id as another of the same user in this batch."""
    order = np.argsort(batch.id_hash, kind="stable")
    same = batch.id_hash[order][1:] == batch.id_hash[order][:-1]
    same &= batch.slot[order][1:] == batch.slot[order][:-1]
    repeats = np.zeros(len(batch), np.bool_)
    repeats[order[1:][same]] = True
    return repeats


def _repeats_in_run(hashes: list[int], recent: list[int], count: int) -> list[bool]:
    """One user's records in order against the ring of the latest ids, as if each came alone."""
    repeats = []
    for value in hashes:
        repeats.append(value in recent)
        if not repeats[-1]:
            recent[count % RECENT_EVENTS] = value
            count += 1
    return repeats


def _remember(batch: Batch, group: Ints, recent: NDArray[np.uint64], count: Ints) -> None:
    """Put the ids of ``batch`` into the rings ``recent`` [users, ring], in place; only the last of each fit."""
    starts = group_starts(group)
    own = group_index(_marks(starts, len(group)))
    rank = ranks(starts, own)
    length = np.diff(np.append(starts, len(group)))
    fits = rank >= length[own] - RECENT_EVENTS
    place = (count[group] + rank) % RECENT_EVENTS
    recent[group[fits], place[fits]] = batch.id_hash[fits]
    count[group[starts]] += length


def lifetimes(rows: Rows, batch: Batch, history_ms: int) -> tuple[Flags, int | None]:
    """Which users ([users] of ``rows``) begin anew, and the position where another would within the batch.

    A history ends when its user was quiet for ``history_ms``. A batch is cut there, so that within a piece every
    user has one history.
    """
    starts = group_starts(batch.slot)
    group = group_index(_marks(starts, len(batch)))
    latest = running_max(batch.ts, starts, group, rows["last_seen"])
    before = np.concatenate(([0], latest[:-1]))
    before[starts] = rows["last_seen"]
    over = batch.due - before > history_ms
    fresh = over[starts].copy()
    over[starts] = False
    return fresh, int(batch.position[over].min()) if over.any() else None


def split(batch: Batch, position: int) -> tuple[Batch, Batch]:
    """The records before ``position`` and the others."""
    first = batch.position < position
    return batch.where(first), batch.where(~first)
