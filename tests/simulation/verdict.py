"""What must hold when everything has been read to its end."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from app.pipeline import Limits, Pipeline
from app.state.columns import UserTable
from app.state.partition_rows import PartitionRows
from app.state.rows import ROW
from schemas.topics import DEAD_LETTER
from tests.fakes import fake_models
from tests.harness import LIVES, VALUE_BYTES
from tests.simulation.broker import Kafka
from tests.simulation.disk import apply
from tests.simulation.inputs import TOPICS, Expected, Output, Outputs
from tests.simulation.worker import CHANGELOG, Worker

_TOLERANCE = 1e-5


def wrong_offsets(kafka: Kafka, expected: Expected) -> Iterator[str]:
    """The group's committed offsets are the ends of the inputs."""
    for tp in expected.logs:
        if (found := kafka.offsets.get(tp, 0)) != (end := len(kafka.logs[tp])):
            yield f"committed offset of {tp} is {found}, its end is {end}"


def wrong_outputs(kafka: Kafka, expected: Expected) -> Iterator[str]:
    """Exactly once: a reader of committed records sees what the reference yields, of each key in its order."""
    found = _outputs(kafka)
    for stream in sorted(found.keys() | expected.outputs.keys(), key=repr):
        yield from _unequal(stream, found.get(stream, []), expected.outputs.get(stream, []))


def wrong_outputs_after_deduplication(kafka: Kafka, expected: Expected, most_repeated: int) -> Iterator[str]:
    """At least once: without repetitions of ids the same; what is repeated says the same; not too much is."""
    repeated = 0
    found = _outputs(kafka)
    for stream in sorted(found.keys() | expected.outputs.keys(), key=repr):
        first: dict[str, Output] = {}
        for output in found.get(stream, []):
            id_ = _id(output)
            if id_ in first:
                repeated += 1
                yield from _unequal(stream, [output], [first[id_]])
            first.setdefault(id_, output)
        yield from _unequal(stream, list(first.values()), expected.outputs.get(stream, []))
    if repeated > most_repeated:
        yield f"{repeated} outputs were repeated, more than {most_repeated}"


def wrong_state(kafka: Kafka, expected: Expected, workers: list[Worker]) -> Iterator[str]:
    """The state is the same four ways: in memory, in the local stores, in the changelog, and in the reference."""
    held = {partition: worker for worker in workers for partition in worker.held.stores}
    for partition in range(expected.partitions):
        if not any(expected.logs[topic, partition] for topic in TOPICS):
            continue
        if partition not in held:
            yield f"nobody holds partition {partition}"
            continue
        worker = held[partition]
        stored = dict(row for rows in worker.held.stores[partition].scan() for row in zip(*rows, strict=True))
        folded: dict[bytes, bytes] = {}
        for entry in kafka.committed((CHANGELOG, partition)):
            apply(folded, {entry.key or b"": entry.value})
        if stored != folded:
            keys = [key for key in sorted(stored.keys() | folded.keys()) if stored.get(key) != folded.get(key)]
            yield f"partition {partition}: local store and changelog differ in {keys}"
        yield from _different("the changelog", partition, _loaded(partition, folded, expected.partitions), expected)
        yield from _different(worker.name, partition, worker.pipeline, expected)


def _outputs(kafka: Kafka) -> Outputs:
    found: Outputs = defaultdict(list)
    for topic, partition in [tp for tp in kafka.logs if tp[0] not in (*TOPICS, CHANGELOG)]:
        for entry in kafka.committed((topic, partition)):
            found[topic, entry.key].append((entry.key, entry.value, entry.headers))
    return found


def _unequal(stream: tuple[str, bytes | None], found: list[Output], wanted: list[Output]) -> Iterator[str]:
    if stream[0] == DEAD_LETTER:  # each once, in no order: what is late shows later than what is no event
        found, wanted = sorted(found, key=_id), sorted(wanted, key=_id)
    if found == wanted:
        return
    ids = [list(map(_id, outputs)) for outputs in (found, wanted)]
    if ids[0] != ids[1]:
        yield f"{stream}: found {ids[0]}, wanted {ids[1]}"
        return
    for one, other in zip(found, wanted, strict=True):
        same_value = one[1] == other[1] if stream[0] == DEAD_LETTER else _close(_decoded(one), _decoded(other))
        if not same_value or one[2] != other[2]:
            yield f"{stream}: found {one}, wanted {other}"


def _id(output: Output) -> str:
    return (dict(output[2])["ce_id"] or b"").decode()


def _decoded(output: Output) -> Any:  # noqa: ANN401 - whatever JSON holds
    return json.loads(output[1] or b"null")


def _close(one: Any, other: Any) -> bool:  # noqa: ANN401 - whatever JSON holds
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _TOLERANCE
    return bool(one == other)


def _loaded(partition: int, rows: dict[bytes, bytes], partitions: int) -> Pipeline:
    pipeline = Pipeline(fake_models(), LIVES, Limits(1, VALUE_BYTES, 0.0), partitions, with_headers=False)
    PartitionRows(pipeline.state).load(partition, list(rows), list(rows.values()))
    return pipeline


def _different(whose: str, partition: int, found: Pipeline, expected: Expected) -> Iterator[str]:
    """What of one partition's state is not as in the reference."""
    mine, wanted = found.state, expected.pipeline.state
    if mine.times.get(partition) != wanted.times.get(partition):
        yield f"{whose}: event time of partition {partition}"
    if partition in mine.applied and (mine.applied[partition].offsets > wanted.applied[partition].offsets).any():
        yield f"{whose}: partition {partition} says it includes more input than there is"
    users = [_users(state.table, partition) for state in (mine, wanted)]
    if users[0] != users[1]:
        yield f"{whose}: partition {partition} has rows of {users[0]}, wanted {users[1]}"
        return
    for user in users[0]:
        if fields := _different_fields(mine.table, wanted.table, user):
            yield f"{whose}: the row of {user} in {fields}"


def _users(table: UserTable, partition: int) -> list[str]:
    return sorted(table.users[slot] for slot in np.flatnonzero(table.partitions == partition).tolist())


def _different_fields(one: UserTable, other: UserTable, user: str) -> list[str]:
    left, right = one.slot(user), other.slot(user)
    assert left is not None
    assert right is not None
    texts = {
        "session id": one.session_ids[left] == other.session_ids[right],
        "last event id": one.last_event_ids[left] == other.last_event_ids[right],
        "order log": one.logs.get(left) == other.logs.get(right),
    }
    rows = one.rows[left : left + 1].copy(), other.rows[right : right + 1].copy()
    texts["hidden"] = np.allclose(rows[0]["hidden"], rows[1]["hidden"], atol=_TOLERANCE)
    for row in rows:
        row["hidden"], row["layout"] = 0, 0
    different = [name for name, same in texts.items() if not same]
    if rows[0].tobytes() != rows[1].tobytes():
        different += [name for name in ROW.names or () if (rows[0][name] != rows[1][name]).any()]
    return different
