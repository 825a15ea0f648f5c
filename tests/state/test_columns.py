"""The users' rows: slots, growth, what is stored of them and what comes back."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.state.columns import Change, CorruptRow, UserTable, check_value
from app.state.order_log import OrderLog
from app.state.rows import HISTORY_FIELDS, LAYOUT, MEMORY_FIELDS, ROW, SESSION_FIELDS, begun_anew, clear_sessions
from tests.harness import DAY, GRACE, LIVES, START
from tests.schemas.strategies import texts, unhurried


def table_of(users: dict[str, int], partition: int = 0) -> UserTable:
    """A table with rows of these users, who were seen last at these times."""
    table = UserTable(LIVES)
    add(table, users, partition)
    return table


def add(table: UserTable, users: dict[str, int], partition: int = 0) -> None:
    slots = table.slots(list(users), np.full(len(users), partition, np.int32))
    rows = table.rows[slots]
    rows["last_seen"] = list(users.values())
    table.write(slots, rows)


def changes_of(table: UserTable, *users: str) -> list[Change]:
    return table.changes(np.array([table.slot(user) for user in users], np.int64))


def copied(table: UserTable, *users: str) -> UserTable:
    """Another table with what is stored of these users."""
    other = UserTable(LIVES)
    for change in changes_of(table, *users):
        other.load(change.partition, change.keys, change.values)
    return other


def test_a_user_keeps_the_slot_and_others_get_their_own() -> None:
    table = UserTable(LIVES)
    first = table.slots(["a", "b", "a"], np.zeros(3, np.int32))
    again = table.slots(["b", "c"], np.zeros(2, np.int32))
    assert first[0] == first[2] != first[1] == again[0]
    assert len({*first.tolist(), *again.tolist()}) == len(table) == 3


def test_growth_loses_nothing() -> None:
    count = 5_000
    table = table_of({f"u{number}": START + number for number in range(count)})
    assert len(table) == count
    for number in range(0, count, 97):
        slot = table.slot(f"u{number}")
        assert slot is not None
        assert (table.rows["last_seen"][slot], table.users[slot]) == (START + number, f"u{number}")
    assert len(table.rows) == len(table.partitions) == len(table.deadlines) == len(table.users)
    assert len(table.rows) <= 1.25 * count + 1_024


def test_freed_slots_are_used_again_and_are_empty() -> None:
    table = table_of({"a": START, "b": START})
    slot = table.slot("a")
    assert slot is not None
    table.session_ids[slot] = "s"
    table.logs[slot] = OrderLog([1], [1], [1])
    table.delete(np.array([slot]))
    assert table.slot("a") is None
    assert table.value("a") is None
    assert table.slots(["c"], np.zeros(1, np.int32)).tolist() == [slot]
    assert table.rows[slot] == np.zeros((), ROW)
    assert (table.session_ids[slot], table.last_event_ids[slot], table.logs) == ("", "", {})


def test_deleting_tells_tombstones_by_partition() -> None:
    table = table_of({"a": START}, partition=2)
    add(table, {"b": START, "c": START}, partition=5)
    changes = table.delete(np.array([table.slot(user) for user in "abc"]))
    assert [(change.partition, sorted(change.keys), change.values) for change in changes] == [
        (2, [b"a"], [None]),
        (5, [b"b", b"c"], [None, None]),
    ]
    assert len(table) == 0


def test_dropping_a_partition_leaves_the_others() -> None:
    table = table_of({"a": START, "b": START}, partition=1)
    add(table, {"c": START}, partition=2)
    table.drop(1)
    assert [table.slot(user) is not None for user in "abc"] == [False, False, True]
    assert table.sizes() == {2: (1, 0)}


def test_loading_none_deletes_and_the_last_value_of_a_key_counts() -> None:
    old, new = table_of({"a": START}), table_of({"a": START + 5})
    values = [old.value("a"), None, new.value("a")]
    table = UserTable(LIVES)
    table.load(0, [b"a"] * 3, values)
    assert table.value("a") == new.value("a")
    table.load(0, [b"a", b"never seen"], [None, None])
    assert len(table) == 0


def test_rows_that_no_event_counted_in_are_released() -> None:
    table = table_of({"a": START})
    slots = table.slots(["a", "b"], np.zeros(2, np.int32))
    table.release_unused(slots)
    assert [table.slot(user) is not None for user in "ab"] == [True, False]


def test_every_field_belongs_to_one_lifetime() -> None:
    names = [name for name, *_ in SESSION_FIELDS + HISTORY_FIELDS + MEMORY_FIELDS]
    assert sorted(["layout", *names]) == sorted(ROW.names or ())
    rows = np.frombuffer(b"\1" * ROW.itemsize, ROW).copy()
    clear_sessions(rows)
    assert [not rows[name].any() for name, *_ in SESSION_FIELDS + HISTORY_FIELDS] == [True] * len(SESSION_FIELDS) + [
        False
    ] * len(HISTORY_FIELDS)
    anew = begun_anew(rows, np.array([START]))
    assert {name for name, *_ in MEMORY_FIELDS if anew[name].any()} == {"frozen_at", "recent_count", "recent"}
    left = {name: anew[name].any() for name, *_ in SESSION_FIELDS + HISTORY_FIELDS if anew[name].any()}
    assert left.keys() == {"first_seen"}
    assert anew["first_seen"] == START


# Deadlines.


def test_a_row_is_due_once_the_watermark_of_its_partition_passes_its_deadline() -> None:
    table = table_of({"history": START})
    add(table, {"elsewhere": START}, partition=1)
    slot = table.slots(["session"], np.zeros(1, np.int32))
    rows = table.rows[slot]
    rows["open"], rows["last_click"], rows["last_seen"] = 1, START, START
    table.write(slot, rows)
    session_over, history_over = START + LIVES.gap_ms + GRACE, START + 30 * DAY + GRACE

    def due(*watermarks: int) -> list[str]:
        return [table.users[slot] for slot in table.due(np.array(watermarks, np.int64)).tolist()]

    assert due(session_over, session_over) == []
    assert due(session_over + 1, 0) == ["session"]
    assert due(history_over, history_over) == ["session"]
    assert sorted(due(history_over + 1, history_over)) == ["history", "session"]
    assert due(0, history_over + 1) == ["elsewhere"]


# Stored values.

numbers = st.integers(-(2**62), 2**62)
logs = st.lists(st.tuples(numbers, numbers, numbers), max_size=6).map(
    lambda found: OrderLog(*(list(column) for column in zip(*found, strict=True))) if found else OrderLog()
)


@unhurried
@given(
    fixed=st.binary(min_size=ROW.itemsize, max_size=ROW.itemsize),
    user=texts,
    session=texts,
    event=texts,
    log=st.none() | logs,
)
def test_rows_come_back_as_they_were_stored(
    fixed: bytes, user: str, session: str, event: str, log: OrderLog | None
) -> None:
    table = table_of({user: START})
    slot = table.slot(user)
    assert slot is not None
    table.rows[slot] = np.frombuffer(fixed, ROW)[0]
    table.session_ids[slot], table.last_event_ids[slot] = session, event
    if log is not None:
        table.logs[slot] = log
    other = copied(table, user)
    value = table.value(user)
    assert value is not None
    assert check_value(value)
    assert other.value(user) == value
    there = other.slot(user)
    assert there is not None
    assert other.rows[there].tobytes() == bytes([LAYOUT]) + fixed[1:]
    assert (other.session_ids[there], other.last_event_ids[there]) == (session, event)
    assert other.logs.get(there, OrderLog()) == (log or OrderLog())


def test_loading_renews_deadlines() -> None:
    other = copied(table_of({"a": START}), "a")
    assert other.due(np.array([START + 30 * DAY + GRACE])).tolist() == []
    assert other.due(np.array([START + 30 * DAY + GRACE + 1])).tolist() == [other.slot("a")]


def test_loading_over_a_row_replaces_all_of_it() -> None:
    table, newer = table_of({"a": START}), table_of({"a": START + 1})
    slot = table.slot("a")
    assert slot is not None
    table.logs[slot] = OrderLog([1], [1], [1])
    table.session_ids[slot] = "s"
    table.load(0, [b"a"], [newer.value("a")])
    assert table.value("a") == newer.value("a")
    assert table.logs == {}


CORRUPT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda value: b"",
    "cut in the fixed part": lambda value: value[: ROW.itemsize - 1],
    "cut in the lengths": lambda value: value[: ROW.itemsize + 3],
    "cut at the end": lambda value: value[:-1],
    "too long": lambda value: value + b"\0",
    "of another layout": lambda value: bytes([LAYOUT - 1]) + value[1:],
    "of another program": lambda value: b'{"watermark": 1}',
}


@pytest.mark.parametrize("name", CORRUPT)
def test_a_corrupt_value_is_told_and_never_loaded(name: str) -> None:
    table = table_of({"a": START})
    slot = table.slot("a")
    assert slot is not None
    table.session_ids[slot] = "session"
    value = table.value("a")
    assert value is not None
    corrupt = CORRUPT[name](value)
    assert check_value(value)
    assert not check_value(corrupt)
    other = UserTable(LIVES)
    with pytest.raises(CorruptRow):
        other.load(0, [b"a"], [corrupt])


@unhurried
@given(value=st.binary(max_size=ROW.itemsize + 40))
def test_bytes_that_are_no_row_never_crash_the_check(value: bytes) -> None:
    table = UserTable(LIVES)
    if check_value(value):
        table.load(0, [b"a"], [value])
    else:
        with pytest.raises(CorruptRow):
            table.load(0, [b"a"], [value])
