"""State: event time by partition, sweeps that do not depend on how often they look, and what a restart keeps."""

import numpy as np
import pytest

from app.events.stream_time import StreamTime
from app.state.applied import Applied
from app.state.partition_rows import PARTITION_KEY, PartitionRows, partition_changes
from app.state.state import State
from schemas.topics import CLICKSTREAM, LABELS, ORDERS
from tests.harness import GAP, GRACE, HOUR, LIVES, SECOND, START, Worker, click
from tests.harness import on as on_topic


def closed_users(worker: Worker) -> list[str]:
    return [session.user for work in worker.works for session in work.effects.closed]


def test_rows_of_a_partition_that_is_silent_after_a_restart_do_not_disturb_the_others() -> None:
    worker = Worker(partitions=8)
    worker.run(*(click(f"u{number}", 0, f"{number}") for number in range(30)))
    after = worker.restarted()
    # One record, in the lowest partition: rows of all others have none yet.
    users = {fetched.partition: fetched for fetched in worker.fetches([click(f"v{n}", HOUR, "x") for n in range(50)])}
    key = users[0].keys[0]
    assert key is not None
    after.run(click(key.decode(), HOUR, "next"))
    assert 0 < len(closed_users(after)) < 30


def test_dropping_a_partition_forgets_its_rows_and_its_event_time() -> None:
    worker = Worker()
    worker.run(click("u", 0, "a"))
    worker.pipeline.state.drop(0)
    assert len(worker.pipeline.state.table) == 0
    assert worker.pipeline.state.times == {}
    # So what comes then is judged by itself: it is an hour older, and not late.
    assert on_topic("dead-letter", worker.run(click("u", -HOUR, "b"))) == []


def test_a_partition_that_comes_back_goes_on_with_the_event_time_it_was_stored_with() -> None:
    worker = Worker()
    worker.run(click("u", 0, "a"), click("v", HOUR, "b"))
    again = worker.restarted()
    assert again.pipeline.state.times == worker.pipeline.state.times
    assert len(on_topic("dead-letter", again.run(click("u", HOUR - GRACE - 1, "late")))) == 1


def test_event_time_and_offsets_are_stored_whole_and_its_key_is_no_users() -> None:
    state = State.empty(LIVES)
    state.times[3] = StreamTime(START, True, [("u", START + 1)])
    state.applied[3] = Applied(np.array([7, 5, 0]))
    (change,) = partition_changes(state, [3])
    assert (change.partition, change.keys) == (3, [PARTITION_KEY])
    with pytest.raises(UnicodeDecodeError):
        PARTITION_KEY.decode()
    other = State.empty(LIVES)
    rows = PartitionRows(other)
    assert rows.unreadable([*change.values, None, b"{", b""]) == [2, 3]
    rows.load(3, change.keys, change.values)
    assert other.times == state.times
    assert other.applied[3].by_topic() == {CLICKSTREAM: 7, ORDERS: 5, LABELS: 0}
    rows.drop(3)
    assert (other.times, other.applied) == ({}, {})


@pytest.mark.parametrize("looks", [1, 3, 500])
def test_what_is_over_does_not_depend_on_how_often_it_was_looked_at(looks: int) -> None:
    worker = Worker()
    worker.run(click("u", 0, "a"), click("w", 500, "b"))
    last = GAP + GRACE + SECOND
    for look in range(looks):
        at = last - (looks - 1 - look)
        worker.run(click("v", at, f"v{at}"))
    assert closed_users(worker) == ["u", "w"]
    assert {session.ended_at for work in worker.works for session in work.effects.closed} == {START, START + 500}
