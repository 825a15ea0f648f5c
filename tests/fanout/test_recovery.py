"""A partition that moves: its new worker knows what the old one knew, from the topic, or a snapshot and the rest."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.fanout import snapshot
from app.fanout.recovery import ANSWER_AGAIN_MS
from app.fanout.snapshot import SnapshotUnusable
from app.velocity.catalogue import CATALOGUE
from app.velocity.definitions import DAY_MS, HOUR_MS
from app.velocity.table import VelocityTable
from tests.fanout.cluster import FIELDS, Place, Topics, Values, Worker
from tests.velocity.naive import Event, columns

PARTITIONS = 3
START = 1_700_000_000_000
WANTED = tuple(velocity for velocity in CATALOGUE if velocity.window in ("1h", "30d"))


def stream(seed: int, length: int = 160) -> list[Event]:
    """Orders of users who share entities, and labels, some before their orders."""
    rng, ts, found = random.Random(seed), START, list[Event]()
    for number in range(length):
        ts += rng.choice([1, 1_000, 60_000, HOUR_MS, DAY_MS // 4])
        about = number + rng.choice([-9, -5, -2, 3])
        user = f"u{about % 7}" if rng.random() < 0.25 else ""
        if user and about >= 0:
            found.append(Event(ts, f"o{about}", user, bad=rng.random() < 0.8))
        else:
            names = {kind: f"{kind}{rng.randrange(4)}" for kind in FIELDS if rng.random() < 0.8}
            amount = rng.choice([10_000, 20_000, 900_000])
            found.append(Event(ts, f"o{number}", f"u{number % 7}", amount, names))
    return found


def expected(events: Sequence[Event], places: Sequence[Place]) -> Values:
    """What one table says."""
    values = VelocityTable(WANTED).process(*columns(list(events)))
    orders = [place for place, event in zip(places, events, strict=True) if event.bad is None]
    return dict(zip(orders, values, strict=True))


def assert_same(found: Values, wanted: Values) -> None:
    assert found.keys() == wanted.keys()
    for place, values in wanted.items():
        np.testing.assert_array_equal(found[place], values, err_msg=str(place))


def work(workers: Sequence[Worker]) -> None:
    """Everything that came in is asked about, and answered."""
    for worker in workers:
        worker.feed()
    for worker in workers:
        worker.answer()


def heard(workers: Sequence[Worker], wanted: Values) -> Values:
    return {place: values for worker in workers for place, values in worker.hear(list(wanted)).items()}


@pytest.mark.parametrize("seed", range(4))
def test_partitions_that_move_on_the_way_lead_to_the_numbers_of_one_table(seed: int, tmp_path: Path) -> None:
    events, topics = stream(seed), Topics(PARTITIONS)
    places: list[Place] = []
    folder = tmp_path if seed % 2 else None
    workers = [Worker(topics, WANTED, [0], folder), Worker(topics, WANTED, [1, 2], folder)]
    for start in range(0, len(events), 40):
        places += [topics.put(event) for event in events[start : start + 40]]
        work(workers)
        if folder is not None and start == 40:
            workers[1].save()
        split = (start // 40) % PARTITIONS
        rest = [number for number in range(PARTITIONS) if number != split]
        workers = [Worker(topics, WANTED, [split], folder), Worker(topics, WANTED, rest, folder)]
    work(workers)
    wanted = expected(events, places)
    assert_same(heard(workers, wanted), wanted)
    assert [worker.parts.owners.late for worker in workers] == [0, 0]


def test_with_a_snapshot_only_what_came_after_it_is_read(tmp_path: Path) -> None:
    events, topics = stream(7), Topics(PARTITIONS)
    places = [topics.put(event) for event in events[:120]]
    worker = Worker(topics, WANTED, range(PARTITIONS), tmp_path)
    work([worker])
    worker.save()
    again = Worker(topics, WANTED, range(PARTITIONS), tmp_path)
    assert again.recovered_rows == 0
    places += [topics.put(event) for event in events[120:]]
    work([again])
    wanted = expected(events, places)
    assert_same(again.hear(list(wanted)), wanted)


def test_what_was_asked_and_did_not_reach_all_owners_is_asked_again() -> None:
    events, topics = stream(3, 30), Topics(PARTITIONS)
    places = [topics.put(event) for event in events]
    Worker(topics, WANTED, range(PARTITIONS)).feed(confirming=False)
    for number in range(PARTITIONS):  # of each topic partition only what its own partition wrote arrived
        own = [(sent_at, value) for sent_at, value in topics.asks[number] if value[1] == number]
        assert len(own) < len(topics.asks[number])
        topics.asks[number] = own
    topics.answers.clear()
    again = Worker(topics, WANTED, range(PARTITIONS))
    work([again])
    wanted = expected(events, places)
    assert_same(again.hear(list(wanted)), wanted)


def test_a_worker_that_lost_its_partitions_and_does_not_know_changes_no_number() -> None:
    events, topics = stream(5), Topics(PARTITIONS)
    places = [topics.put(event) for event in events[:80]]
    other, zombie = Worker(topics, WANTED, [0]), Worker(topics, WANTED, [1, 2])
    work([other, zombie])
    heir = Worker(topics, WANTED, [1, 2])
    places += [topics.put(event) for event in events[80:]]
    for limit in (3, 5, 8, None):  # it goes on, in other pieces, between those who have the partitions now
        zombie.feed(None if limit is None else {tp: limit + len(log) // 2 for tp, log in topics.inputs.items()})
        zombie.answer()
        work([other, heir])
    wanted = expected(events, places)
    assert_same(heard([other, heir], wanted), wanted)


def test_who_has_lost_a_partition_is_not_listened_to_though_it_saw_less_than_its_heir() -> None:
    topics = Topics(1)
    first = Event(START, "first", "u", 10_000, {"card": "c"})
    label, second = Event(START + 1, "first", "u", bad=True), Event(START + 2, "second", "v", 10_000, {"card": "c"})
    places = [topics.put(first)]
    zombie = Worker(topics, WANTED, [0])
    work([zombie])
    heir = Worker(topics, WANTED, [0])
    places.append(topics.put(second))
    zombie.feed()  # what it asks comes before what its heir asks, and knows nothing of the label
    heir.answer()
    topics.put(label)
    work([heir])
    values = VelocityTable(WANTED).process(*columns([first, label, second]))
    assert_same(heir.hear(places), dict(zip(places, values, strict=True)))


def test_what_was_answered_long_ago_is_not_computed_again() -> None:
    events, topics = stream(2, 60), Topics(PARTITIONS)
    places = [topics.put(event) for event in events[:40]]
    work([Worker(topics, WANTED, range(PARTITIONS))])
    topics.now_ms += ANSWER_AGAIN_MS + 1
    places += [topics.put(event) for event in events[40:]]
    worker = Worker(topics, WANTED, range(PARTITIONS))
    work([worker])
    answers = sum(len(log) for log in topics.answers.values())
    again = Worker(topics, WANTED, range(PARTITIONS))
    repeated = sum(len(log) for log in topics.answers.values()) - answers
    assert 0 < repeated < answers
    work([again])
    wanted = expected(events, places)
    assert_same(again.hear(list(wanted)), wanted)


@pytest.mark.parametrize(
    ("reason", "spoil", "end"),
    [
        ("damaged", lambda path: path.write_bytes(path.read_bytes()[:-40]), 1_000),
        ("damaged", lambda path: path.write_bytes(path.read_bytes().replace(b"numbers", b"nvmbers", 1)), 1_000),
        ("ahead", lambda path: None, 1),
    ],
)
def test_a_snapshot_that_is_damaged_or_ahead_of_its_topic_is_refused(
    reason: str, spoil: "object", end: int, tmp_path: Path
) -> None:
    topics = Topics(1)
    topics.put(Event(START, "o", "u", 10_000, {"card": "c"}))
    worker = Worker(topics, WANTED, [0], tmp_path)
    work([worker])
    worker.save()
    path = snapshot.path(tmp_path, 0)
    assert callable(spoil)
    spoil(path)
    with pytest.raises(SnapshotUnusable, match="read from the beginning") as found:
        snapshot.read(path, 0, end)
    assert found.value.reason == reason


def test_a_snapshot_of_another_layout_or_of_records_that_are_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(Topics(1), WANTED, [0], tmp_path)
    worker.save()
    path = snapshot.path(tmp_path, 0)
    with pytest.raises(SnapshotUnusable) as behind:
        snapshot.read(path, 2, 1_000)
    assert behind.value.reason == "behind"
    assert snapshot.read(path, 0, 1_000) is not None
    monkeypatch.setattr(snapshot, "LAYOUT", 99)
    with pytest.raises(SnapshotUnusable) as other:
        snapshot.read(path, 0, 1_000)
    assert other.value.reason == "layout"


def test_a_partition_that_is_left_is_forgotten() -> None:
    topics = Topics(PARTITIONS)
    for event in stream(1, 60):
        topics.put(event)
    worker = Worker(topics, WANTED, range(PARTITIONS))
    work([worker])
    kinds = [worker.parts.askers.users, worker.parts.owners.entities]
    assert any(len(kind.logs) for kind in kinds)
    for number in range(PARTITIONS):
        worker.parts.stop(number)
        worker.parts.forget(number)
    assert [len(kind.logs) for kind in kinds] == [0] * len(kinds)
    assert all(labels.waiting == 0 for labels in worker.parts.askers.labels.values())
