"""The benchmark's load is what it says: repeatable, valid, in order, skewed, clicks and orders 20 to 1."""

from collections import Counter

import msgspec
import pytest

from app.replay.load import load, top_user_share
from app.replay.recorded import joined
from schemas.events import Click, Order


def array(values: list[bytes]) -> bytes:
    return b"[" + b",".join(values) + b"]"


def test_the_same_seed_gives_the_same_bytes_however_they_are_batched() -> None:
    whole = joined(list(load(3_000, users=50, seed=4)))
    assert joined(list(load(3_000, users=50, seed=4, batch_rows=77))) == whole
    assert joined(list(load(3_000, users=50, seed=5))).values != whole.values


def test_every_event_is_one_of_the_contract_with_its_own_id_and_key() -> None:
    batch = joined(list(load(21_000, users=1_000)))
    clicks = [event for topic, event in zip(batch.topics, batch.values, strict=True) if topic == "clickstream"]
    orders = [event for topic, event in zip(batch.topics, batch.values, strict=True) if topic == "orders"]
    clicked = [click.event_id for click in msgspec.json.decode(array(clicks), type=list[Click])]
    ordered = [order.event_id for order in msgspec.json.decode(array(orders), type=list[Order])]
    assert (len(clicked), len(ordered)) == (20_000, 1_000)
    assert len({*clicked, *ordered}) == 21_000
    assert [msgspec.json.decode(value)["user_id"].encode() for value in batch.values] == batch.keys
    assert 250 < sum(map(len, clicks)) / len(clicks) < 400


def test_times_rise_at_the_given_rate() -> None:
    times = joined(list(load(1_001, users=10, start_ts=5_000, events_per_second=500))).timestamps
    assert times == sorted(times)
    assert (times[0], times[-1]) == (5_000, 7_000)


def test_a_pause_of_over_half_an_hour_opens_a_session() -> None:
    batch = joined(list(load(4, users=1, events_per_second=1 / 1801)))
    sessions = [msgspec.json.decode(value)["session_id"] for value in batch.values]
    assert sessions == ["user-0-0", "user-0-1", "user-0-2", "user-0-3"]


def test_the_busiest_user_has_the_share_that_is_reported() -> None:
    ((_, count),) = Counter(joined(list(load(50_000, users=200))).keys).most_common(1)
    assert count / 50_000 == pytest.approx(top_user_share(200), abs=0.01)
