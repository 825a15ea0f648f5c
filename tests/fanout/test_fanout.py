"""Velocities over partitions: the same numbers as in one table, however messages are cut, delayed and repeated."""

import random
from collections import defaultdict

import numpy as np
import pytest
from numpy.typing import NDArray

from app.fanout.asker import Askers, Piece, part_of
from app.fanout.joiner import Joiners
from app.fanout.merger import IDLE_FOR_MS
from app.fanout.messages import AnswerBatch, AskBatch, Asked, BadMessage, packed, unpacked
from app.fanout.owner import Owners
from app.velocity.catalogue import CATALOGUE
from app.velocity.definitions import DAY_MS, HOUR_MS
from app.velocity.table import VelocityTable
from tests.velocity.naive import Event, columns

PARTITIONS = 3
START = 1_700_000_000_000
WANTED = tuple(velocity for velocity in CATALOGUE if velocity.window in ("10m", "30d"))

Values = dict[tuple[int, int], NDArray[np.float64]]
"""By partition and offset of the order."""


def stream(seed: int, length: int = 120) -> list[tuple[int, int, Event]]:
    """Events of all partitions in order of time: their partition, offset and event. Users are of one partition each."""
    rng = random.Random(seed)
    ts, offsets = START, defaultdict[int, int](int)
    found: list[tuple[int, int, Event]] = []
    orders: list[Event] = []
    for number in range(length):
        ts += rng.choice([1, 1_000, 60_000, HOUR_MS, DAY_MS])
        user = rng.choice("abcdef")
        partition = ord(user) % PARTITIONS
        mine = [order for order in orders if order.user == user]
        if mine and rng.random() < 0.2:
            event = Event(ts, rng.choice(mine).order, user, bad=rng.random() < 0.8)
        else:
            kinds = [kind for kind in ("device", "ip", "card", "merchant") if rng.random() < 0.7]
            names = {kind: f"{kind}{rng.randrange(4)}" for kind in kinds}
            event = Event(ts, f"o{number}", user, rng.choice([10_000, 20_000, 900_000]), names)
            orders.append(event)
        found.append((partition, offsets[partition], event))
        offsets[partition] += 1
    return found


def expected(events: list[tuple[int, int, Event]]) -> Values:
    """What one table says."""
    values = VelocityTable(WANTED).process(*columns([event for _, _, event in events]))
    names = [(partition, offset) for partition, offset, event in events if event.bad is None]
    return dict(zip(names, values, strict=True))


class Shop:
    """Askers and owners of all partitions, with a log between them for each owner."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = 1_000_000
        # Two processes: one has the first partition, the other the rest.
        self.processes = [0, *([1] * (PARTITIONS - 1))]
        self.askers = [Askers(PARTITIONS, WANTED) for _ in range(2)]
        self.owners = [Owners(range(start, stop), PARTITIONS, WANTED) for start, stop in ((0, 1), (1, PARTITIONS))]
        self.inboxes: list[list[list[bytes]]] = [[[] for _ in range(PARTITIONS)] for _ in range(PARTITIONS)]
        self.joiners = Joiners(deadline=None)
        self.placed: list[tuple[int, int]] = []

    def ask(self, partition: int, events: list[tuple[int, Event]], idle: bool) -> None:
        """A piece of a partition's input goes to the owners."""
        (question,) = self.askers[self.processes[partition]].ask([piece(partition, events, idle)])
        asked = Asked.decoded(question.asked.encoded())
        self.joiners.of(partition).expect(asked)
        self.placed += [(partition, offset) for offset in asked.offsets.tolist()]
        for owner in range(PARTITIONS):
            batch = question.whole if owner == partition else part_of(question.whole, owner, PARTITIONS)
            message = batch.encoded()
            self.inboxes[owner][partition] += [message] * self.rng.choice([1, 1, 2])

    def deliver(self, owner: int, source: int) -> None:
        """One message arrives."""
        if not self.inboxes[owner][source]:
            return
        owners = self.owners[self.processes[owner]]
        batch = AskBatch.decoded(self.inboxes[owner][source].pop(0))
        owners.add(owner, owners.part(owner, batch), self.now)
        for partition, answers in owners.take(self.now).items():
            self.joiners.of(partition).receive(AnswerBatch.decoded(answers.encoded()))

    @property
    def waiting(self) -> list[tuple[int, int]]:
        """Orders that wait for answers."""
        return [
            (partition, offset)
            for partition, offset in self.placed
            if not self.joiners.of(partition).ready(ints([offset]), 0, is_live=False)
        ]

    @property
    def found(self) -> Values:
        """What is known of every order."""
        return {
            (partition, offset): self.joiners.of(partition).take(ints([offset]), WANTED).values[0]
            for partition, offset in self.placed
        }


def piece(partition: int, events: list[tuple[int, Event]], idle: bool) -> Piece:
    orders, labels = columns([event for _, event in events], first_turn=events[0][0] if events else 0)
    order_offsets = [offset for offset, event in events if event.bad is None]
    label_offsets = [offset for offset, event in events if event.bad is not None]
    after = events[-1][0] + 1 if events else 0
    watermark = events[-1][1].ts if events else 0
    return Piece(partition, orders, ints(order_offsets), labels, ints(label_offsets), after, after, watermark, idle)


def ints(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


@pytest.mark.parametrize("seed", range(5))
def test_every_order_is_told_what_one_table_says_however_far_apart_partitions_are_read(seed: int) -> None:
    events, rng = stream(seed), random.Random(seed)
    shop = Shop(rng)
    backlog = [[(offset, event) for number, offset, event in events if number == one] for one in range(PARTITIONS)]
    while any(backlog) or any(message for inbox in shop.inboxes for message in inbox):
        if any(backlog) and rng.random() < 0.3:
            partition = rng.choice([number for number in range(PARTITIONS) if backlog[number]])
            size = rng.choice([1, 3, 20])
            part, backlog[partition] = backlog[partition][:size], backlog[partition][size:]
            shop.ask(partition, part, idle=not backlog[partition])
        else:
            shop.deliver(rng.randrange(PARTITIONS), rng.randrange(PARTITIONS))
    assert shop.waiting == []
    wanted, found = expected(events), shop.found
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values, err_msg=str(name))
    assert all(owner.late == 0 for owner in shop.owners)
    assert all(merger.waiting == 0 for owner in shop.owners for merger in owner.mergers.values())


def delivered(shop: Shop) -> None:
    """Everything that was sent arrives."""
    for owner in range(PARTITIONS):
        for source in range(PARTITIONS):
            while shop.inboxes[owner][source]:
                shop.deliver(owner, source)


def test_a_partition_that_is_behind_holds_the_answers_back_until_it_has_come_past_or_is_idle() -> None:
    shop = Shop(random.Random(1))
    shop.ask(0, [(0, Event(START, "o", "u", 10_000, {"card": "c"}))], idle=True)
    delivered(shop)
    assert shop.waiting == [(0, 0)]
    shop.ask(1, [(0, Event(START + 1, "p", "v", 10_000))], idle=False)
    delivered(shop)
    assert shop.waiting == [(0, 0)]
    shop.ask(2, [], idle=True)
    delivered(shop)
    assert shop.waiting == []


def test_a_partition_that_was_idle_and_is_not_heard_of_any_more_holds_the_answers_back() -> None:
    shop = Shop(random.Random(1))
    shop.ask(1, [], idle=True)
    shop.ask(2, [], idle=True)
    delivered(shop)
    shop.now += IDLE_FOR_MS + 1
    shop.ask(0, [(0, Event(START, "o", "u", 10_000, {"card": "c"}))], idle=True)
    delivered(shop)
    assert shop.waiting == [(0, 0)]
    for partition in (1, 2):
        shop.ask(partition, [], idle=True)
    delivered(shop)
    assert shop.waiting == []


def test_what_comes_late_from_an_idle_partition_is_counted_and_answered() -> None:
    shop = Shop(random.Random(1))
    for partition in range(PARTITIONS):
        shop.ask(partition, [], idle=True)
    shop.ask(0, [(0, Event(START + 5, "o", "u", 10_000, {"card": "c"}))], idle=True)
    delivered(shop)
    shop.ask(1, [(0, Event(START, "p", "v", 10_000, {"card": "c"}))], idle=True)
    delivered(shop)
    assert shop.waiting == []
    assert sum(owner.late for owner in shop.owners) == 1
    counts = [velocity.name for velocity in WANTED].index("card_orders_10m")
    assert [shop.found[name][counts] for name in ((0, 0), (1, 0))] == [1, 1]


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_a_damaged_message_is_told_from_a_good_one(cut: int) -> None:
    one = piece(0, [(0, Event(START, "a", "u", 1, {"card": "c"}))], idle=False)
    batch = Askers(1, WANTED).ask([one])[0].whole
    assert len(AskBatch.decoded(batch.encoded()).asks) == 1
    with pytest.raises(BadMessage):
        AskBatch.decoded(batch.encoded()[:cut])
    with pytest.raises(BadMessage, match="layout 9"):
        AskBatch.decoded(b"\x09" + batch.encoded()[1:])


def test_a_record_has_several_messages_and_a_damaged_one_is_told_from_it() -> None:
    messages = [b"", b"one", b"another"]
    assert unpacked(packed(messages)) == messages
    assert unpacked(packed([])) == []
    for cut in (0, 3, -1):
        with pytest.raises(BadMessage):
            unpacked(packed(messages)[:cut])
    with pytest.raises(BadMessage, match="layout 9"):
        unpacked(b"\x09" + packed(messages)[1:])


def test_only_what_is_asked_for_is_computed_though_every_order_is_remembered() -> None:
    shop, few = Shop(random.Random(1)), [velocity for velocity in WANTED if velocity.name == "card_users_10m"]
    for askers in shop.askers:
        askers.use([])
    for partition in range(PARTITIONS):
        shop.ask(partition, [], idle=True)
    shop.ask(0, [(0, Event(START, "o", "u", 10_000, {"card": "c"}))], idle=True)
    delivered(shop)
    assert shop.waiting == []
    for askers in shop.askers:
        askers.use(few)
    shop.ask(1, [(0, Event(START + 1, "p", "v", 10_000, {"card": "c", "device": "d"}))], idle=True)
    delivered(shop)
    assert shop.waiting == []
    told = shop.joiners.of(1).take(ints([0]), few)
    assert told.values.tolist() == [[2.0]]
    assert not told.partial.any()
    assert np.isnan(shop.found[0, 0]).all()
    before = shop.joiners.of(0).take(ints([0]), few)
    assert before.partial.all(), "it was not asked for when this order came"
