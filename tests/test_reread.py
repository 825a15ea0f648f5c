"""Input that is read again, after a crash or a rebalance, changes no state twice and yields nothing new."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.kafka.fetched import Fetched
from app.state.applied import InputTruncated
from app.state.partition_rows import PARTITION_KEY, PartitionRows
from tests.harness import MINUTE, SCORED_AT, SECOND, Input, Worker, click, label, on, order, raw, records_of, scored

USERS = "abc"


def inputs(count: int) -> list[Input]:
    """Clicks of three users in sessions of several lengths, orders and labels between them; one click is late."""
    made: list[Input] = []
    for number in range(count):
        user, at = USERS[number % 3 if number % 5 else 0], number * 7 * MINUTE
        made.append(click(user, at, f"c{number}", "product_added", price=5.0))
        if number % 4 == 1:
            made.append(order(user, at + SECOND, f"o{number}"))
        if number % 7 == 3:
            made.append(label(user, at + 2 * SECOND, f"l{number}"))
    return [*made, click("a", MINUTE, "late")]


def crashed(worker: Worker, lost: int) -> Worker:
    """Another worker that finds a changelog without the last ``lost`` of this one's records."""
    records = [
        (change.partition, key, value)
        for work in worker.works
        for change in work.changes
        for key, value in zip(change.keys, change.values, strict=True)
    ]
    other = Worker()
    rows = PartitionRows(other.pipeline.state)
    for partition, key, value in records[: len(records) - lost]:
        rows.load(partition, [key], [value])
    return other


def read(worker: Worker, fetches: list[Fetched]) -> list[str]:
    """Ids of what is scored when these fetches come in."""
    for fetched in fetches:
        worker.pipeline.feed(fetched)
    return scored(worker.drain())


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 90), cut=st.integers(0, 90), lost=st.integers(0, 12), step=st.sampled_from([1, 7, 1000]))
@example(count=80, cut=80, lost=4, step=1000)
@example(count=80, cut=80, lost=8, step=1000)
@example(count=80, cut=80, lost=12, step=1000)
def test_after_any_loss_at_the_end_of_the_changelog_the_state_becomes_what_it_was(
    count: int, cut: int, lost: int, step: int
) -> None:
    records = inputs(count)
    whole = Worker()
    read(whole, whole.fetches(records))
    worker = Worker(step_records=step)
    read(worker, worker.fetches(records[:cut]))
    again = crashed(worker, lost)
    read(again, Worker().fetches(records))
    for user in USERS:
        assert again.pipeline.state.table.value(user) == whole.pipeline.state.table.value(user)
    assert again.pipeline.state.times == whole.pipeline.state.times


def test_what_the_state_includes_yields_nothing_when_it_is_read_again() -> None:
    records = inputs(12)
    worker = Worker()
    worker.run(*records)
    again = worker.restarted()
    for fetched in Worker().fetches(records):
        again.pipeline.feed(fetched)
    found = [
        record
        for work in iter(lambda: again.pipeline.work(lambda _: 0, 0.0, SCORED_AT), None)
        for record in records_of(work)
    ]
    assert found == []


def test_a_click_that_was_in_time_is_in_time_when_it_is_read_again() -> None:
    records = [click("a", 0, "early"), click("b", 20 * MINUTE, "far ahead")]
    worker = Worker()
    worker.run(*records)
    again = crashed(worker, 0)
    for fetched in Worker().fetches(records):
        again.pipeline.feed(fetched)
    assert (
        on(
            "dead-letter",
            [
                record
                for work in [again.pipeline.work(lambda _: 0, 0.0, SCORED_AT)]
                if work
                for record in records_of(work)
            ],
        )
        == []
    )


def test_rows_ahead_of_their_partitions_row_leave_out_their_own_users_records_only() -> None:
    records = [click("a", 0, "1"), click("b", SECOND, "2"), click("a", 2 * SECOND, "3")]
    worker = Worker()
    worker.run(*records)
    (change,) = worker.works[0].changes
    again = Worker()
    rows = PartitionRows(again.pipeline.state)
    kept = [index for index, key in enumerate(change.keys) if key == b"a"]
    rows.load(0, [change.keys[index] for index in kept], [change.values[index] for index in kept])
    assert read(again, Worker().fetches(records)) == ["2"]


def test_a_topic_that_ends_before_what_the_state_includes_is_refused() -> None:
    worker = Worker()
    worker.run(*(click("a", number, f"{number}") for number in range(5)))
    (fetched,) = Worker().fetches([click("a", 9, "of the topic made again")])
    with pytest.raises(InputTruncated, match=r"clickstream\[0\] ends at offset 1, but the state includes .* below 5"):
        worker.pipeline.feed(fetched)


def test_a_fetch_that_begins_below_what_is_included_is_cut_there() -> None:
    worker = Worker()
    worker.run(click("a", 0, "0"), click("a", 1, "1"))
    (fetched,) = Worker().fetches([click("a", number, f"{number}") for number in range(4)])
    assert read(worker, [replace(fetched, end_offset=9)]) == ["2", "3"]


def test_what_was_read_again_is_committed_up_to_its_end_though_it_yields_nothing() -> None:
    records = [click("a", number, f"{number}") for number in range(4)]
    worker = Worker()
    worker.run(*records)
    again = worker.restarted()
    read(again, Worker().fetches(records))
    assert [work.next_offsets for work in again.works] == [{("clickstream", 0): 4}]


def test_what_was_rejected_is_not_rejected_again_when_it_is_read_again() -> None:
    records = [raw(b"{"), click("u", 1, "good"), raw(b"["), label("u", 2, "also good"), raw(b"", topic="labels")]
    worker = Worker()
    worker.each(*records)
    again = worker.restarted()
    for fetched in Worker().fetches(records):
        again.pipeline.feed(fetched)
    assert again.drain() == []


def test_older_input_that_is_read_again_beside_new_input_does_not_make_the_state_include_less() -> None:
    records = [click("a", number, f"{number}") for number in range(3)] + [raw(b"{")]
    worker = Worker()
    worker.run(*records)
    again, source = worker.restarted(), Worker()
    first, second = (
        [replace(fetched, end_offset=4) for fetched in source.fetches(records[at : at + 2])] for at in (0, 2)
    )
    assert read(again, [*first, *source.fetches([order("a", 5, "new")])]) == ["new"]
    for fetched in second:
        again.pipeline.feed(fetched)
    assert on("dead-letter", again.drain()) == []


def test_the_partitions_row_comes_after_those_of_its_users() -> None:
    worker = Worker()
    worker.run(click("a", 0, "0"), click("b", 1, "1"))
    (change,) = worker.works[0].changes
    assert change.keys[-1] == PARTITION_KEY
