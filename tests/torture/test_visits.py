"""The load says itself what must come of it."""

import json
from collections import defaultdict
from itertools import pairwise

from app.kafka.partition import partition_of
from app.torture.visits import GAP_MS, GRACE_MS, HISTORY_MS, Expected, Load, Sent, Visits, expected
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

LOAD = Load(rate=50, partitions=4)


def whole(seed: int, turns: int) -> list[Sent]:
    visits = Visits(LOAD, seed)
    found = visits.take(turns)
    while not visits.are_over:
        found += visits.take(10, begins=False)
    return found + visits.last()


def test_a_session_is_what_its_id_says() -> None:
    sessions = defaultdict(list)
    for one in whole(seed=1, turns=3_000):
        if one.topic == CLICKSTREAM:
            sessions[json.loads(one.value)["session_id"]].append(json.loads(one.value))
    del sessions["beat"]
    assert len(sessions) > 400
    for session, clicks in sessions.items():
        times = [click["ts"] for click in clicks]
        cents = sum(round(click.get("price", 0) * 100) for click in clicks)
        assert expected(session) == Expected(len(clicks), cents, max(times) - min(times))


def test_event_time_rises_strictly_over_all_topics_and_users_have_time_between_events() -> None:
    sent = whole(seed=2, turns=3_000)
    assert {one.topic for one in sent} == {CLICKSTREAM, ORDERS, LABELS}
    assert all(before.ts < after.ts for before, after in pairwise(sent))
    latest: dict[bytes, int] = {}
    for one in sent:
        assert one.partition == partition_of(one.key, LOAD.partitions)
        assert one.ts - latest.get(one.key, 0) >= LOAD.spacing * LOAD.step_ms
        latest[one.key] = one.ts


def test_event_ids_are_unique_and_a_seed_makes_the_same_load() -> None:
    sent = whole(seed=3, turns=2_000)
    assert len({json.loads(one.value)["event_id"] for one in sent}) == len(sent)
    assert sent == whole(seed=3, turns=2_000)
    assert sent != whole(seed=4, turns=2_000)


def test_users_come_back_to_their_history_a_few_times_and_then_when_it_has_expired() -> None:
    visits: dict[bytes, list[int]] = defaultdict(list)
    for one in whole(seed=4, turns=20_000):
        if one.topic == CLICKSTREAM and b"beat" not in one.value:
            visits[one.key].append(one.ts)
    away = [[later - before for before, later in pairwise(times)] for times in visits.values()]
    assert sum(max(each) > HISTORY_MS + GRACE_MS for each in away) > len(away) / 4
    assert sum(GAP_MS + GRACE_MS < gap < HISTORY_MS for each in away for gap in each) > 2 * len(away)
    lives = [sum(gap < HISTORY_MS for gap in each) for each in away]
    assert max(lives) < 20_000 / LOAD.users * 2
