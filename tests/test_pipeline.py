"""The pipeline's ends: offsets, dead letters, and what one step says it did."""

from collections.abc import Callable

import pytest

from app.kafka.fetched import Fetched, Partition
from app.pipeline import Pipeline, Work
from app.state.partition_rows import PARTITION_KEY
from schemas.topics import CLICKSTREAM, DEAD_LETTER, INTENT_EVENTS, LABELS, ORDERS
from tests.harness import (
    DAY,
    HOUR,
    MINUTE,
    SCORED_AT,
    START,
    Record,
    Worker,
    click,
    failures,
    label,
    on,
    order,
    raw,
    records_of,
    scored,
)

Lag = Callable[[Partition], int | None]


def none_left(_: Partition) -> int:
    return 0


def orders_behind(tp: Partition) -> int:
    return int(tp[0] == ORDERS)


def works(pipeline: Pipeline, lag: Lag) -> list[Work]:
    found = []
    while work := pipeline.work(lag, 0.0, SCORED_AT):
        found.append(work)
    return found


def outcomes(work: Work) -> list[str]:
    """Ids of what was scored, and the offsets of the dead letters, in one step's output."""
    records = records_of(work)
    return scored(records) + [letter.header("__connect.errors.offset") for letter in on(DEAD_LETTER, records)]


def test_nothing_fed_is_nothing_to_do() -> None:
    assert Worker().pipeline.work(none_left, 0.0, SCORED_AT) is None


def test_a_dead_letter_becomes_durable_with_the_offset_it_stands_for() -> None:
    worker = Worker()
    (fetched,) = worker.fetches([click("u", 0, "a"), raw(b"bad"), click("u", 1, "b")])
    worker.pipeline.feed(fetched)
    assert works(worker.pipeline, orders_behind) == []
    (work,) = works(worker.pipeline, none_left)
    assert outcomes(work) == ["a", "b", "1"]
    assert work.next_offsets == {(CLICKSTREAM, 0): 3}


@pytest.mark.parametrize("step_records", [1, 2, 3, 10])
def test_whatever_the_step_outputs_are_those_of_the_inputs_below_its_offsets(step_records: int) -> None:
    worker = Worker(step_records=step_records)
    inputs = [raw(b"bad"), click("u", 0, "1"), raw(b"bad"), raw(b"bad"), click("u", 1, "4"), click("u", 2, "5")]
    inputs += [raw(b"bad"), order("u", 1, "o")]
    for fetched in worker.fetches(inputs):
        worker.pipeline.feed(fetched)
    done: list[str] = []
    committed = 0
    for work in works(worker.pipeline, none_left):
        done += [outcome for outcome in outcomes(work) if outcome != "o"]
        committed = work.next_offsets.get((CLICKSTREAM, 0), committed)
        assert sorted(done) == [str(offset) for offset in range(committed)]
    assert committed == 7


def test_a_fetch_of_nothing_but_bad_records_moves_the_offset() -> None:
    worker = Worker()
    (fetched,) = worker.fetches([raw(b"bad"), raw(None)])
    worker.pipeline.feed(fetched)
    (work,) = works(worker.pipeline, none_left)
    assert (outcomes(work), work.next_offsets) == (["0", "1"], {(CLICKSTREAM, 0): 2})


def test_a_fetch_of_nothing_but_control_records_moves_the_offset() -> None:
    pipeline = Worker().pipeline
    pipeline.feed(Fetched(CLICKSTREAM, 0, 10, 15, 15, 0, 0, [], [], [], [], None))
    (work,) = works(pipeline, none_left)
    assert (work.next_offsets, work.records) == ({(CLICKSTREAM, 0): 15}, 0)


def test_holes_in_the_offsets_are_skipped() -> None:
    worker = Worker(step_records=1)
    (fetched,) = worker.fetches([click("u", 0, "a"), click("u", 1, "b")])
    holed = Fetched(CLICKSTREAM, 0, 3, 20, 20, 0, 9, [5, 9], fetched.timestamps, fetched.keys, fetched.values, None)
    worker.pipeline.feed(holed)
    assert [work.next_offsets[CLICKSTREAM, 0] for work in works(worker.pipeline, none_left)] == [9, 20]


def test_what_waits_is_forgotten_whole_and_comes_again_once() -> None:
    worker = Worker()
    (fetched,) = worker.fetches([raw(b"bad"), click("u", 0, "a"), raw(b"bad")])
    worker.pipeline.feed(fetched)
    assert worker.pipeline.waiting == 1
    worker.pipeline.forget_waiting()
    assert worker.pipeline.waiting == 0
    assert works(worker.pipeline, none_left) == []
    worker.pipeline.feed(fetched)
    (work,) = works(worker.pipeline, none_left)
    assert outcomes(work) == ["a", "0", "2"]


def test_a_step_tells_how_many_records_it_read_by_topic() -> None:
    worker = Worker()
    worker.run(click("u", 0, "a"), raw(b"bad"), click("u", 1, "a"), order("u", 2, "o"), label("u", HOUR, "l"))
    read = [work.inputs for work in worker.works]
    assert {topic: sum(one.get(topic, 0) for one in read) for topic in (CLICKSTREAM, ORDERS, LABELS)} == {
        CLICKSTREAM: 3,
        ORDERS: 1,
        LABELS: 1,
    }
    assert sum(work.records for work in worker.works) == 5


def test_a_step_changes_each_row_once() -> None:
    worker = Worker(partitions=3)
    worker.run(*(click(f"u{number % 7}", 2 * HOUR * number, f"{number}") for number in range(50)))
    for work in worker.works:
        assert len({change.partition for change in work.changes}) == len(work.changes)
        for change in work.changes:
            assert len(set(change.keys)) == len(change.keys) == len(change.values)


def test_a_bad_record_is_stored_nowhere_but_that_it_was_seen_is() -> None:
    worker = Worker()
    assert failures(worker.run(raw(b"bad"))) == ["malformed_json"]
    assert worker.stored.keys() == {0}
    assert worker.stored[0].keys() == {PARTITION_KEY}


def test_events_of_other_partitions_do_not_mix() -> None:
    worker = Worker(partitions=4)
    found = worker.run(*(click(f"user {number}", number, f"{number}") for number in range(40)))
    homes = {record.key: record.partition for record in on(INTENT_EVENTS, found)}
    assert set(homes.values()) == {0, 1, 2, 3}
    for partition, rows in worker.stored.items():
        users = {key for key in rows if key.startswith(b"user")}
        assert users == {key for key, home in homes.items() if home == partition}
    assert {time.watermark for time in worker.pipeline.state.times.values()} <= {START + n for n in range(40)}


@pytest.mark.parametrize("jump_ms", [-40 * 365 * DAY, -HOUR, HOUR, 40 * 365 * DAY])
def test_a_wall_clock_that_jumps_changes_nothing_but_when_something_was_scored(jump_ms: int) -> None:
    inputs = [click("u", number * 20 * MINUTE, f"c{number}") for number in range(6)] + [order("u", 7 * HOUR, "o")]
    steady, jumping = Worker(step_records=2), Worker(step_records=2)
    found = []
    for worker, clock in ((steady, SCORED_AT), (jumping, SCORED_AT + jump_ms)):
        for fetched in worker.fetches(inputs):
            worker.pipeline.feed(fetched)
        records: list[Record] = []
        while work := worker.pipeline.work(none_left, 0.0, clock if len(records) > 2 else SCORED_AT):
            records += records_of(work)
        found.append([(one.topic, one.key, one.body | {"scored_at": 0}) for one in records])
    assert found[0] == found[1]
    assert steady.pipeline.state.table.value("u") == jumping.pipeline.state.table.value("u")
