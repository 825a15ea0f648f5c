"""What an entity with very many orders costs, and what it loses."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from app.velocity.definitions import DAY_MS, HOUR_MS, MINUTE_MS, RETENTION_MS, Velocity
from app.velocity.entities import USER, entity_key
from app.velocity.logs import LOOK_EVERY, MOST_ENTRIES
from app.velocity.records import Labels
from app.velocity.table import VelocityTable
from tests.velocity.naive import Event, columns

START = 1_700_000_000_000
WANTED = tuple(
    Velocity("merchant", aggregate, window, "test")
    for window in ("10m", "24h", "7d", "30d")
    for aggregate in ("count", "sum", "max", "zscore", "frauds")
)
ORDERS, GAP_MS = 12_000, 3 * MINUTE_MS  # 25 days, of which a log keeps at most 8 as they are


def busy(number: int) -> list[Event]:
    """Orders of as many users at one merchant, each of another amount."""
    return [
        Event(START + i * GAP_MS, f"o{i}", f"u{i}", 10_000 + i * 7_919 % 90_000, {"merchant": "m"})
        for i in range(number)
    ]


def process(table: VelocityTable, events: list[Event], cuts: list[int]) -> NDArray[np.float64]:
    return np.concatenate(
        [table.process(*columns(events[start:stop], start)) for start, stop in pairwise([0, *cuts, len(events)])]
    )


def test_a_busy_merchant_has_a_bounded_log_and_windows_wrong_by_no_more_than_a_64th() -> None:
    table = VelocityTable(WANTED)
    found = process(table, busy(ORDERS), [5_000])
    logs = table.others.logs
    assert logs.entries <= MOST_ENTRIES + LOOK_EVERY
    assert logs.coarse > 0
    names = [velocity.name for velocity in WANTED]
    nth = np.arange(1, ORDERS + 1)
    for window, length in (("10m", 10 * MINUTE_MS), ("24h", DAY_MS), ("7d", 7 * DAY_MS), ("30d", 30 * DAY_MS)):
        exact = np.minimum(nth, -(-length // GAP_MS))
        counts = found[:, names.index(f"merchant_orders_{window}")]
        np.testing.assert_allclose(counts, exact, rtol=1 / 64)
        assert (counts >= exact).all()
    np.testing.assert_array_equal(found[:, 0], np.minimum(nth, 4))


def test_a_busy_log_is_the_same_however_the_stream_is_cut() -> None:
    events = busy(6_000)
    found = [process(VelocityTable(WANTED), events, cuts) for cuts in ([], [1_000, 4_095, 4_096, 4_097], [5_999])]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_fraud_of_a_coarse_entry_still_counts() -> None:
    events = busy(ORDERS)
    events.insert(9_000, Event(events[8_999].ts, "o100", "u100", bad=True))
    found = process(VelocityTable(WANTED), events, [])
    frauds = found[:, [velocity.name for velocity in WANTED].index("merchant_frauds_30d")]
    assert frauds[:9_000].sum() == 0
    assert set(frauds[9_000:].tolist()) == {1.0}


def test_an_order_dated_ahead_does_not_make_its_entities_forget() -> None:
    table = VelocityTable(WANTED[:1])
    events = [
        Event(START, "a", "u", 1, {"merchant": "m"}),
        Event(START + 5_000 * DAY_MS, "b", "u", 1, {"merchant": "m"}),
    ]
    asks, labels = columns(events)
    asks.believed[1] = START
    assert table.process(asks, labels)[:, 0].tolist() == [1, 1]
    again, none = columns([Event(START + 1, "c", "u", 1, {"merchant": "m"})], first_turn=2)
    assert table.process(again, none)[:, 0].tolist() == [2]


def test_entities_that_nothing_was_heard_of_are_forgotten_and_come_back_new() -> None:
    table = VelocityTable(WANTED)
    process(table, busy(3), [])
    assert table.expire(START + RETENTION_MS - 1) == 0
    assert table.expire(START + HOUR_MS + RETENTION_MS) == 4
    assert process(table, busy(1), [])[0, 0] == 1


def test_labels_whose_order_never_comes_are_dropped_and_counted() -> None:
    table = VelocityTable(WANTED)
    labels = Labels(
        np.zeros(1, np.int64),
        np.full(1, START),
        np.array([entity_key("user", "u")], np.uint64),
        np.ones(1, np.uint64),
        np.ones(1, np.bool_),
    )
    table.process(columns([])[0], labels)
    assert (table.labels.waiting, table.labels.dropped) == (1, 0)
    table.expire(START + RETENTION_MS)
    assert (table.labels.waiting, table.labels.dropped) == (0, 1)


def test_no_more_labels_wait_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.velocity.labels.MOST_WAITING", 2)
    table = VelocityTable(WANTED)
    table.process(*columns([Event(START, name, "u", bad=True) for name in "abc"]))
    assert (table.labels.waiting, table.labels.dropped) == (2, 1)
    assert table.process(*columns([Event(START, "a", "u", 1, {"merchant": "m"})], 3)).shape == (1, len(WANTED))
    assert table.labels.waiting == 2


def test_users_are_the_first_kind() -> None:
    assert USER == 0
