"""An order that a producer sent twice counts once, for its entities and for the step."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.fanout.local import LocalFanOut
from app.pipeline import Limits, Pipeline
from app.velocity.definitions import HOUR_MS
from app.velocity.repeats import REMEMBERED
from schemas.topics import DEAD_LETTER, DECISIONS, RISK_EVENTS
from tests.fanout.cluster import Place, Topics, Worker
from tests.fanout.test_recovery import PARTITIONS, START, WANTED, assert_same, expected, heard, work
from tests.harness import LIVES, Feed, click, label, on, order
from tests.rules.rulesets import rule
from tests.scoring.judged import risks, worker
from tests.velocity.naive import Event

BUSY = rule("busy", "device_orders_1h >= 1 and card_orders_1h >= 1 and user_orders_1h >= 1", 1)


def stream(seed: int, length: int = 120) -> list[tuple[Event, bool]]:
    """Orders of users who share entities, and labels; whether each is one that came before."""
    rng, ts, found, placed = random.Random(seed), START, list[tuple[Event, bool]](), list[Event]()
    for number in range(length):
        ts += rng.choice([1, 1_000, 60_000, HOUR_MS])
        before = placed[-REMEMBERED:]
        if before and rng.random() < 0.3:
            found.append((rng.choice(before), True))
        elif before and rng.random() < 0.2:
            about = rng.choice(before)
            found.append((Event(ts, about.order, about.user, bad=rng.random() < 0.8), False))
        else:
            names = {"device": f"d{rng.randrange(4)}", "card": f"c{rng.randrange(4)}"}
            placed.append(Event(ts, f"o{number}", f"u{number % 5}", 10_000, names, id=f"id{number}"))
            found.append((placed[-1], False))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_repeats_change_no_number_also_when_their_partition_moves(seed: int, tmp_path: Path) -> None:
    events, topics = stream(seed), Topics(PARTITIONS)
    places: list[Place] = []
    folder = tmp_path if seed % 2 else None
    workers = [Worker(topics, WANTED, [0], folder), Worker(topics, WANTED, [1, 2], folder)]
    for start in range(0, len(events), 30):
        places += [topics.put(event) for event, _ in events[start : start + 30]]
        work(workers)
        for one in workers if folder is not None and start == 30 else []:
            one.save()
        split = (start // 30) % PARTITIONS
        rest = [number for number in range(PARTITIONS) if number != split]
        workers = [Worker(topics, WANTED, [split], folder), Worker(topics, WANTED, rest, folder)]
    counted = [(place, event) for place, (event, is_repeat) in zip(places, events, strict=True) if not is_repeat]
    repeats = [place for place, (_, is_repeat) in zip(places, events, strict=True) if is_repeat]
    wanted = expected([event for _, event in counted], [place for place, _ in counted])
    assert_same(heard(workers, wanted), wanted)
    assert repeated(workers, list(wanted)) == [False] * len(wanted)
    assert repeated(workers, repeats) == [True] * len(repeats)


def test_a_worker_that_comes_back_knows_repeats_that_no_answer_tells_of() -> None:
    events, topics = stream(1, 30), Topics(PARTITIONS)
    places = [topics.put(event) for event, _ in events]
    Worker(topics, WANTED, range(PARTITIONS)).feed(confirming=False)
    topics.answers.clear()
    again = Worker(topics, WANTED, range(PARTITIONS))
    work([again])
    orders = [(place, is_repeat) for place, (event, is_repeat) in zip(places, events, strict=True) if event.bad is None]
    again.hear([])
    assert repeated([again], [place for place, _ in orders]) == [is_repeat for _, is_repeat in orders]


def test_a_value_that_is_too_large_has_not_been_so_its_order_may_come_again() -> None:
    limited = worker(BUSY)
    fan_out = LocalFanOut(1, limited.pipeline.models.velocities, value_bytes=300)
    limits = Limits(64, 300, 0.0)
    pipeline = Pipeline(limited.pipeline.models, LIVES, limits, 1, with_headers=False, joiners=fan_out.joiners)
    found: list[str] = []
    large = order("u", 0, "a", device_id="d", card_hash="c" * 300)
    for fetched in [one for value in (large, order("u", 1, "a", device_id="d")) for one in limited.fetches([value])]:
        pipeline.feed(fetched)
        fan_out.feed(fetched)
        fan_out.exchange()
        while work := pipeline.work(lambda _: 0, 0.0, 0):
            fan_out.through(work.next_offsets)
            found += [out.topic for out in work.outgoing]
    assert found == [DEAD_LETTER, RISK_EVENTS, DECISIONS]


def repeated(workers: Sequence[Worker], places: Sequence[Place]) -> list[bool]:
    """Which orders are told to be repeated ones."""
    found = []
    for number, offset in places:
        (one,) = (each for each in workers if number in each.parts.partitions)
        joined = one.joiners.of(number).take(np.array([offset]), WANTED)
        assert not joined.partial.any()
        found.append(bool(joined.repeated[0]))
    return found


def test_an_order_that_came_twice_is_judged_and_counted_once_however_many_clicks_lie_between(feed: Feed) -> None:
    first = order("u", 0, "a", device_id="d", card_hash="c")
    clicks = [click("u", at, f"{at}") for at in range(1, 40)]
    judge = worker(BUSY)
    found = feed(judge, first, *clicks, first, order("u", 50, "b", device_id="d", card_hash="c"))
    assert [record.body["source_event_id"] for record in on(RISK_EVENTS, found)] == ["a", "b"]
    text = risks(found)[-1]["reasons"][0]["text"]
    assert text.count("= 2 >= 1") == 3, "by device, card and user"
    assert judge.duplicates == 1
    assert not any("partial" in risk for risk in risks(found))


def test_a_repeated_order_leaves_the_labels_of_the_first_alone(feed: Feed) -> None:
    first = order("u", 0, "a", device_id="d")
    seen = rule("seen", "device_frauds_30d == 1", 1)
    found = feed(worker(seen), first, label("u", 1, "l", order_id="order-a"), first, order("v", 2, "b", device_id="d"))
    assert [len(risk["rules"]) for risk in risks(found)] == [0, 1]


def test_beyond_those_that_are_remembered_an_order_counts_again_for_all(feed: Feed) -> None:
    orders = [order("u", at, f"{at}", device_id="d", card_hash="c") for at in range(REMEMBERED + 1)]
    found = feed(worker(BUSY), *orders, orders[0])
    assert [record.body["source_event_id"] for record in on(RISK_EVENTS, found)][-1] == "0"
    assert risks(found)[-1]["reasons"][0]["text"].count("= 2 >= 1") == 3
