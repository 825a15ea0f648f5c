"""Wrong clocks and long times: who is dated far ahead holds nobody up and makes nobody forget; the old is forgotten."""

from dataclasses import replace

import pytest

from app.velocity.definitions import DAY_MS, HOUR_MS, RETENTION_MS
from app.velocity.entities import ENTITIES
from tests.fanout.cluster import Place, Topics, Values, Worker
from tests.fanout.test_recovery import START, WANTED, assert_same, expected, stream
from tests.velocity.naive import Event

YEAR_2099 = 4_070_908_800_000
PARTITIONS = 3


def exchanged(worker: Worker, topics: Topics, step: int) -> None:
    """Ask and answer, ``step`` records of every input at a time: most of the time nobody has read all there is."""
    for limit in range(step, 200, step):
        worker.feed({place: min(limit, len(log)) for place, log in topics.inputs.items()})
        worker.answer()


@pytest.mark.parametrize("at", [0, 1, 40, 119])
def test_one_order_dated_2099_changes_nothing_for_the_others(at: int) -> None:
    events, topics = stream(11, 120), Topics(PARTITIONS)
    stray = Event(YEAR_2099, "stray", events[at].user, 50_000, {"card": "of its own"})
    places: list[Place] = []
    for number, event in enumerate(events):
        if number == at:
            topics.put(replace(stray, user=_other_user(stray.user)))
        places.append(topics.put(event))
    worker = Worker(topics, WANTED, range(PARTITIONS))
    exchanged(worker, topics, step=10)
    wanted = expected(events, places)
    assert_same(worker.hear(list(wanted)), wanted)
    assert worker.parts.owners.late == 0


def _other_user(user: str) -> str:
    """One of the same partition who has no other orders."""
    return next(
        name for name in (f"{user}{n}" for n in range(99)) if (sum(name.encode()) - sum(user.encode())) % 3 == 0
    )


def test_an_order_dated_2099_of_a_card_does_not_make_it_forget_what_it_has_seen() -> None:
    topics = Topics(1)
    orders = [Event(START + number, f"o{number}", f"u{number}", 10_000, {"card": "c"}) for number in range(4)]
    places = [topics.put(event) for event in orders[:3]]
    topics.put(Event(YEAR_2099, "stray", "v", 10_000, {"card": "c"}))
    places.append(topics.put(orders[3]))
    worker = Worker(topics, WANTED, [0])
    worker.feed()
    worker.answer()
    column = [velocity.name for velocity in WANTED].index("card_orders_30d")
    found: Values = worker.hear(places)
    assert [found[place][column] for place in places] == [1, 2, 3, 4]


def test_memory_holds_what_windows_can_see_and_no_more() -> None:
    topics = Topics(PARTITIONS)
    worker = Worker(topics, WANTED, range(PARTITIONS))
    most = 0
    for day in range(100):
        for number in range(20):
            names = {"card": f"c{day}-{number}", "device": f"d{day}-{number}"}
            topics.put(Event(START + day * DAY_MS + number * HOUR_MS, f"o{day}-{number}", f"u{day}-{number}", 1, names))
        worker.feed()
        worker.answer()
        users, entities = worker.parts.askers.users.logs, worker.parts.owners.entities.logs
        most = max(most, len(users), *(entities.sizes(kind)[0] for kind in range(len(ENTITIES))))
    days = RETENTION_MS // DAY_MS + 2
    assert 20 * 38 <= most <= 20 * days
