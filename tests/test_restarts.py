"""What is restored and what is replayed is what was: restarts, and data of another year."""

import pytest

from tests.harness import (
    DAY,
    GRACE,
    HOUR,
    SECOND,
    START,
    Input,
    Worker,
    click,
    failures,
    label,
    order,
    sessions,
)


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_silent_session_closes_exactly_once_across_restarts(partitions: int) -> None:
    worker = Worker(partitions=partitions)
    users = [f"user {number}" for number in range(12)]
    before = worker.run(*(click(user, 0, f"{user} a", "product_added", price=2.0) for user in users))
    assert sessions(before) == []
    found = []
    for at in (HOUR, 2 * HOUR, 2 * HOUR + SECOND):
        worker = worker.restarted()
        found += worker.run(*(click(f"other {number}", at, f"{number} at {at}") for number in range(20)))
    closed = [body["user_id"] for body in sessions(found) if body["user_id"] in users]
    assert sorted(closed) == sorted(users)


def test_a_restart_changes_nothing() -> None:
    inputs = [
        click("u", 0, "a", "product_added", price=3.0, product_id="p"),
        order("u", 1_000, "o1"),
        label("u", 2_000, "l"),
        click("u", 3_000, "b", "product_viewed", product_id="p"),
        click("v", 90 * SECOND, "c"),
        click("u", 20 * SECOND, "too late"),
        click("v", 90 * SECOND, "c"),
        order("u", 91 * SECOND, "o2"),
        click("u", HOUR, "d"),
    ]
    straight = Worker().each(*inputs)
    worker, broken = Worker(), []
    for one in inputs:
        broken += worker.run(one)
        worker = worker.restarted()
    assert [(record.topic, record.body, record.headers) for record in broken] == [
        (record.topic, record.body, record.headers) for record in straight
    ]
    assert failures(straight) == ["late_event"]


def test_rows_come_back_byte_for_byte() -> None:
    worker = Worker(partitions=3)
    worker.run(*(click(f"u{n % 7}", n * SECOND, f"c{n}", product_id=f"p{n % 3}") for n in range(50)))
    worker.run(*(order(f"u{n % 5}", 60 * SECOND + n, f"o{n}") for n in range(20)))
    table, other = worker.pipeline.state.table, worker.restarted().pipeline.state.table
    users = [f"u{n}" for n in range(7)]
    assert [other.value(user) for user in users] == [table.value(user) for user in users]
    assert None not in [table.value(user) for user in users]
    assert len(other) == len(table) == 7


def test_year_old_data_replays_like_live() -> None:
    def story(start: int) -> list[Input]:
        return [
            click("u", start, "a", "product_added", price=4.0),
            order("u", start + 1_000, "o1"),
            click("v", start + HOUR, "b"),
            order("u", start + HOUR, "o2"),
            click("v", start + HOUR - 2 * GRACE, "late"),
            click("u", start + 2 * HOUR, "c"),
            *(click("v", start + day * DAY, f"day {day}") for day in range(1, 32)),
        ]

    def told(start: int) -> list[object]:
        found = Worker().each(*story(start))
        assert failures(found) == ["late_event"]
        return [shifted(record.body, start) for record in found if record.body]

    def shifted(body: object, start: int) -> object:
        """The output as if the story began at 0; ids that are made of times left out."""
        if isinstance(body, dict):
            return {
                name: shifted(value, start) for name, value in body.items() if name not in ("session_id", "alert_id")
            }
        return (
            body - start if isinstance(body, int) and body > START - 1000 * DAY and body < START + 999 * DAY else body
        )

    # 52 weeks, so that times of day and weekdays agree.
    assert told(-52 * 7 * DAY) == told(0)
