"""State three ways: the local store, the fold of the committed changelog, and the reference's rows."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from app.kafka.reading import reading
from app.pipeline import Pipeline
from app.state.columns import UserTable
from app.state.partition_rows import PARTITION_KEY, PartitionRows
from app.state.state import State
from app.state.store import PartitionStore, StoreError, Stores
from app.torture.outputs import TOLERANCE
from app.torture.reference import LIFETIMES
from app.worker.assembly import TABLE, now_ms

Rows = dict[bytes, bytes]


async def folded(broker: str, changelog: str, partition: int) -> tuple[Rows, int]:
    """The latest row of every key in a partition of the changelog, and the changelog's end offset."""
    rows: Rows = {}
    async with reading(broker, [changelog], partition) as reader:
        while not reader.is_at_end:
            for records in (await reader.take(4_000)).values():
                for one in records:
                    rows.pop(one.key, None)
                    if one.value is not None:
                        rows[one.key] = one.value
        return rows, reader.ends.get(changelog, 0)


def store_faults(state_dir: Path, partition: int, changelog: Mapping[bytes, bytes], end: int) -> Iterator[str]:
    """What is wrong with the local stores of a partition: one holds the changelog's rows, none is ahead of it."""
    offsets = []
    for folder in sorted(state_dir.iterdir()):
        if not (folder / TABLE / str(partition)).is_dir():
            continue
        try:
            store = Stores(folder / TABLE, now_ms).open(partition)
        except StoreError as problem:
            yield str(problem)
            continue
        offset, rows = _read(store)
        offsets.append((offset, folder.name, rows))
        if offset > end:
            yield f"partition {partition}: the store of {folder.name} is at {offset}, the changelog ends at {end}"
    if not offsets:
        yield f"partition {partition}: no worker has a store"
        return
    _, name, rows = max(offsets, key=lambda each: each[0])
    wrong = [key for key in rows.keys() | changelog.keys() if rows.get(key) != changelog.get(key)]
    if wrong:
        yield f"partition {partition}: {len(wrong)} rows of {name}'s store differ from the changelog, as {wrong[0]!r}"


def _read(store: PartitionStore) -> tuple[int, Rows]:
    try:
        return store.offset or 0, {
            key: value for keys, values in store.scan() for key, value in zip(keys, values, strict=True)
        }
    finally:
        store.close()


def reference_faults(reference: Pipeline, partition: int, changelog: Mapping[bytes, bytes]) -> Iterator[str]:
    """Where the changelog's rows of a partition differ from the reference's, but for the last bits of model state."""
    state = State.empty(LIFETIMES)
    PartitionRows(state).load(partition, list(changelog), list(changelog.values()))
    if PARTITION_KEY not in changelog:
        yield f"partition {partition}: the changelog has no row of the partition's own"
        return
    if state.times[partition] != reference.state.times[partition]:
        yield f"partition {partition}: event time is {state.times[partition]}, not {reference.state.times[partition]}"
    if (found := state.applied[partition].by_topic()) != (wanted := reference.state.applied[partition].by_topic()):
        yield f"partition {partition}: rows include inputs up to {found}, not {wanted}"
    yield from _row_faults(reference.state.table, state.table, partition)


def _row_faults(wanted: UserTable, found: UserTable, partition: int) -> Iterator[str]:
    users = {user for user in wanted.users if user}
    others = {user for user in found.users if user}
    if users != others:
        yield (
            f"partition {partition}: users without a row: {sorted(users - others)[:3]}, "
            f"users with one they should not have: {sorted(others - users)[:3]}"
        )
    same = sorted(users & others)
    mine = np.array([wanted.slot(user) for user in same], np.int64)
    theirs = np.array([found.slot(user) for user in same], np.int64)
    for name in set(wanted.rows.dtype.names or ()) - {"layout"}:  # of the stored form alone
        close = np.isclose(wanted.rows[name][mine], found.rows[name][theirs], rtol=TOLERANCE, atol=TOLERANCE)
        if not close.all():
            wrong = ~close.reshape(len(same), -1).all(axis=1)
            yield f"partition {partition}: {name} of {wrong.sum()} users, as of {same[int(wrong.argmax())]}"
    for user, left, right in zip(same, mine.tolist(), theirs.tolist(), strict=True):
        if (wanted.session_ids[left], wanted.last_event_ids[left]) != (
            found.session_ids[right],
            found.last_event_ids[right],
        ) or wanted.logs.get(left) != found.logs.get(right):
            yield f"partition {partition}: ids or orders of {user}"
