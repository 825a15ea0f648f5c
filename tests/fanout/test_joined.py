"""Orders judged by velocities: the same outputs live and replayed, with one worker and with several."""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.fanout.gate import RECENT_MS
from app.fanout.joiner import Joiners
from app.fanout.local import LocalFanOut
from app.fanout.messages import AnswerBatch, AskBatch
from app.fanout.parts import GATHER_S, FanOutParts, Message, taken_here
from app.kafka.fetched import Fetched, Partition
from app.pipeline import Limits, Pipeline, Work
from app.replay.fetches import Fetches
from app.replay.pacing import MonotonicClock
from app.replay.recorded import RecordedBatch
from app.replay.run import replay
from app.state.columns import Lifetimes
from app.step import Models
from app.velocity.catalogue import CATALOGUE
from schemas.topics import CLICKSTREAM, LABELS, ORDERS, RISK_EVENTS, VELOCITY_ANSWERS
from tests.fakes import RiskByVelocity, fake_models
from tests.rules.rulesets import book, rule

LIVES = Lifetimes(gap_ms=30 * 60_000, history_ms=30 * 86_400_000, grace_ms=60_000)
START, PARTITIONS, VALUE_BYTES = 1_700_000_000_000, 5, 1 << 20
RULES = book(
    rule("shared_device", "device_users_24h >= 3", 40, action="block"),
    rule("busy_card", "card_orders_1h > 2 and value > 50", 30),
    rule("bad_merchant", "merchant_frauds_7d >= 1", 20, mode="shadow"),
    rule("often", "user_orders_24h > 3", 10),
    rule("no_card", "is_missing(card_orders_1h)", 5),
)
MODELS: Models = replace(fake_models(), risk=RiskByVelocity(), rules=RULES)

Outputs = dict[str, dict[str, Any]]
"""By event id."""


def history(seed: int, count: int) -> RecordedBatch:
    """Clicks, orders and labels of users of all partitions who share devices, cards and merchants, each at its own
    time; some orders come again later."""
    rng, ts = random.Random(seed), START
    rows: list[tuple[str, dict[str, Any]]] = []
    placed: list[tuple[str, str]] = []
    for number in range(count):
        ts += rng.choice([1, 900, 20_000, 300_000])
        user = f"u{rng.randrange(20)}"
        topic = rng.choices([CLICKSTREAM, ORDERS, LABELS], [4, 5, 1 if placed else 0])[0]
        body: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": user}
        if topic == CLICKSTREAM:
            body |= {"type": "product_viewed", "product_id": "p1"}
        elif topic == ORDERS:
            placed.append((f"o{number}", user))
            body |= {"type": "order_placed", "order_id": f"o{number}", "value": rng.random() * 99, "currency": "EUR"}
            body |= {"device_id": f"d{rng.randrange(4)}", "merchant_id": f"m{rng.randrange(9)}"}
            body |= {"card_hash": f"c{rng.randrange(4)}"} if rng.random() < 0.7 else {}
        else:
            order, of = rng.choice(placed)
            body |= {"label": "fraud", "order_id": order, "user_id": of}
        rows.append((topic, body))
        if placed and rng.random() < 0.1:
            rows.append(rng.choice([row for row in rows if row[0] == ORDERS]))
    return recorded(rows)


def recorded(rows: Sequence[tuple[str, dict[str, Any]]]) -> RecordedBatch:
    return RecordedBatch(
        [topic for topic, _ in rows],
        [str(body["user_id"]).encode() for _, body in rows],
        [body["ts"] for _, body in rows],
        [json.dumps(body).encode() for _, body in rows],
    )


def pipeline(joiners: Joiners, step_records: int = 64) -> Pipeline:
    limits = Limits(step_records, VALUE_BYTES, 0.0)
    return Pipeline(MODELS, LIVES, limits, PARTITIONS, with_headers=False, joiners=joiners)


def outputs_of(works: Sequence[Work]) -> Outputs:
    found: Outputs = {}
    for out in (out for work in works for out in work.outgoing):
        for value in out.values:
            body = json.loads(value or b"")
            assert body["event_id"] not in found
            found[body["event_id"]] = body | {"topic": out.topic}
    return found


def replayed(recording: RecordedBatch, size: int) -> Outputs:
    fan_out = LocalFanOut(PARTITIONS, MODELS.velocities)

    async def run() -> list[Work]:
        parts = [recording.take(range(at, min(at + size, len(recording)))) for at in range(0, len(recording), size)]
        steps = replay(parts, pipeline(fan_out.joiners), PARTITIONS, lambda: 0, MonotonicClock(), None, fan_out)
        return [work async for work in steps]

    return outputs_of(asyncio.run(run()))


class Worker:
    """One of several: a pipeline and a fan-out for its partitions, and what the topics hold for it."""

    def __init__(self, mine: Sequence[int], fetches: dict[int, list[Fetched]], rng: random.Random) -> None:
        self.mine, self.works, self.rng = mine, list[Work](), rng
        self.joiners = Joiners(deadline=0.25)
        self.pipeline = pipeline(self.joiners, rng.choice([3, 64]))
        self.parts = FanOutParts(mine, PARTITIONS, CATALOGUE, self.joiners, max_idle=0)
        self.parts.use(MODELS.velocities)
        self.inbox: list[Message] = []
        # The pipeline and the fan-out read the inputs each at its own pace.
        self.to_pipeline = [fetched for number in mine for fetched in fetches[number]]
        self.to_parts = list(self.to_pipeline)

    def turn(self, send: "Cluster") -> None:
        """Do one of the things that a worker does."""
        action = self.rng.randrange(4)
        if action == 0 and self.to_pipeline:
            self.pipeline.feed(self.to_pipeline.pop(0))
        elif action == 1 and self.to_parts:
            fetched = self.to_parts.pop(0)
            if fetched.topic != CLICKSTREAM:
                self.parts.partitions[fetched.partition].feed(fetched)
        elif action == 2:
            asks, self.inbox = self.inbox, []
            by_owner: dict[int, list[tuple[int, AskBatch]]] = {}
            for message in asks:
                part = self.parts.owners.part(message.partition, AskBatch.decoded(message.value))
                by_owner.setdefault(message.partition, []).append((0, part))
            send.all(self.parts.answers(by_owner, 1))
            send.all(self.parts.asks(lambda number, topic: _left(self.to_parts, (topic, number)), 0.0))
        elif work := self.pipeline.work(lambda tp: _left(self.to_pipeline, tp), 0.0, 0):
            self.works.append(work)

    @property
    def is_done(self) -> bool:
        return not (self.to_pipeline or self.to_parts or self.inbox or self.pipeline.waiting)


class Cluster:
    """Workers, and the topics by which they talk."""

    def __init__(self, recording: RecordedBatch, shares: Sequence[Sequence[int]], seed: int) -> None:
        self.rng = random.Random(seed)
        numbered = Fetches(PARTITIONS)
        fetches: dict[int, list[Fetched]] = {number: [] for number in range(PARTITIONS)}
        at = 0
        while at < len(recording):
            size = self.rng.choice([1, 5, 40])
            for fetched in numbered.of(recording.take(range(at, min(at + size, len(recording))))):
                fetches[fetched.partition].append(fetched)
            at += size
        self.workers = [Worker(mine, fetches, self.rng) for mine in shares]

    def all(self, messages: Sequence[Message]) -> None:
        """Asks arrive at the owner's worker, sometimes twice; answers at that of the order."""
        for message in messages:
            worker = next(each for each in self.workers if message.partition in each.mine)
            if message.topic == VELOCITY_ANSWERS:
                worker.parts.partitions[message.partition].joiner.receive(AnswerBatch.decoded(message.value))
            else:
                worker.inbox += [message] * self.rng.choice([1, 1, 2])

    def run(self) -> Outputs:
        turns = 0
        while not all(worker.is_done for worker in self.workers):
            self.rng.choice(self.workers).turn(self)
            turns += 1
            assert turns < 1_000_000, "nothing goes on"
        return outputs_of([work for worker in self.workers for work in worker.works])


def _left(fetches: Sequence[Fetched], tp: Partition) -> int:
    """Records of a topic and partition that are still to be fed."""
    return sum(len(fetched) for fetched in fetches if fetched.tp == tp)


def rules_met(outputs: Outputs) -> set[str]:
    return {hit["id"] for body in outputs.values() if body["topic"] == RISK_EVENTS for hit in body["rules"]}


@pytest.mark.parametrize("seed", range(4))
def test_live_equals_replay_with_one_worker_and_with_five(seed: int) -> None:
    recording = history(seed, 300)
    expected = replayed(recording, 300)
    assert rules_met(expected) == {"shared_device", "busy_card", "bad_merchant", "often", "no_card"}
    assert not any("partial" in body for body in expected.values())
    assert any(body.get("kind") == "velocity" for body in expected.values())
    assert Cluster(recording, [range(PARTITIONS)], seed).run() == expected
    assert Cluster(recording, [[number] for number in range(PARTITIONS)], seed).run() == expected
    assert Cluster(recording, [[0, 3], [1, 2, 4]], seed).run() == expected


@pytest.mark.parametrize("size", [1, 7])
def test_a_replay_in_pieces_says_the_same(size: int) -> None:
    recording = history(9, 200)
    assert replayed(recording, size) == replayed(recording, 200)


def orders(*placed: dict[str, Any]) -> RecordedBatch:
    """Orders one second apart."""
    rows = []
    for number, more in enumerate(placed):
        body = {"event_id": f"e{number}", "ts": START + number * 1000, "order_id": f"o{number}", "value": 10}
        rows.append((ORDERS, body | {"type": "order_placed", "currency": "EUR"} | more))
    return recorded(rows)


def risks(outputs: Outputs) -> Iterator[dict[str, Any]]:
    return (body for _, body in sorted(outputs.items()) if body["topic"] == RISK_EVENTS)


def test_a_reason_shows_the_velocity_with_its_value() -> None:
    recording = orders(*({"user_id": f"user{number}", "device_id": "d"} for number in range(3)))
    *before, last = risks(replayed(recording, 3))
    assert [[hit["id"] for hit in body["rules"]] for body in before] == [["no_card"]] * 2
    reason = next(reason for reason in last["reasons"] if reason["code"] == "SHARED_DEVICE")
    assert reason["text"] == "users by device in 24 h = 3 >= 3"
    assert (reason["feature"], reason["value"]) == ("device_users_24h", 3.0)


def test_at_the_deadline_an_order_is_judged_with_what_is_there_and_marked() -> None:
    joiners = Joiners(deadline=0.25)
    live = pipeline(joiners)
    fan_out = FanOutParts(range(PARTITIONS), PARTITIONS, MODELS.velocities, joiners, max_idle=0)
    fetches = Fetches(PARTITIONS).of(orders({"user_id": "u", "device_id": "d"}, {"user_id": "u"}))
    for fetched in fetches:
        live.feed(fetched)
        fan_out.partitions[fetched.partition].feed(fetched)
    fan_out.asks(lambda number, topic: 0, 0.0)  # and nobody answers
    assert live.work(lambda tp: 0, 10.0, 0) is None
    assert live.wait(lambda tp: 0, 10.0) == pytest.approx(0.25)
    assert live.work(lambda tp: 0, 10.125, 0) is None
    work = live.work(lambda tp: 0, 10.25, 0)
    assert work is not None
    first, second = risks(outputs_of([work]))
    assert first["partial"] is True
    assert "partial" not in second, "it names no other entity"
    assert {hit["id"] for hit in first["rules"]} == {"no_card"}


def test_an_order_that_waits_holds_back_what_comes_after_it_and_nothing_before() -> None:
    joiners = Joiners(deadline=None)
    live = pipeline(joiners)
    fan_out = FanOutParts(range(PARTITIONS), PARTITIONS, MODELS.velocities, joiners, max_idle=0)
    click = {"type": "product_viewed", "product_id": "p", "user_id": "u"}
    times = [("before", START - 5), ("after", START + 5)]
    clicks = recorded([(CLICKSTREAM, click | {"event_id": name, "ts": ts}) for name, ts in times])
    for fetched in Fetches(PARTITIONS).of(clicks):
        live.feed(fetched)
    for fetched in Fetches(PARTITIONS).of(orders({"user_id": "u", "device_id": "d"})):
        live.feed(fetched)
        fan_out.partitions[fetched.partition].feed(fetched)
    work = live.work(lambda tp: 0, 0.0, 0)
    assert work is not None
    assert set(outputs_of([work])) == {"before:intent"}
    assert live.work(lambda tp: 0, 1e6, 0) is None
    fan_out.hear(fan_out.answers(taken_here(fan_out.asks(lambda number, topic: 0, 0.0), 1), 1))
    work = live.work(lambda tp: 0, 1e6, 0)
    assert work is not None
    assert {"after:intent", "e0:risk"} <= set(outputs_of([work]))


def test_where_no_rule_names_a_velocity_nothing_waits() -> None:
    live = Pipeline(fake_models(), LIVES, Limits(64, VALUE_BYTES, 0.0), PARTITIONS, False, Joiners(deadline=None))
    for fetched in Fetches(PARTITIONS).of(orders({"user_id": "u", "device_id": "d"})):
        live.feed(fetched)
    assert live.work(lambda tp: 0, 0.0, 0) is not None
    live.use_rules(RULES)
    for fetched in Fetches(PARTITIONS).of(orders({"user_id": "w", "device_id": "d"})):
        live.feed(fetched)
    assert live.work(lambda tp: 0, 0.0, 0) is None


def test_where_nobody_wants_an_answer_orders_are_gathered_before_the_owners_are_told() -> None:
    fan_out = FanOutParts(range(PARTITIONS), PARTITIONS, CATALOGUE, Joiners(deadline=None), max_idle=0)
    fan_out.use([])

    def asks(now: float) -> list[Message]:
        return fan_out.asks(lambda number, topic: 0, now)

    def order(number: int) -> None:
        for fetched in numbered.of(orders(*[{"user_id": f"u{number}", "device_id": "d"}])):
            fan_out.partitions[fetched.partition].feed(fetched)

    numbered = Fetches(PARTITIONS)
    order(1)
    assert asks(0.0)
    order(2)
    assert not asks(GATHER_S / 2)
    order(3)
    assert asks(GATHER_S)
    assert fan_out.asked == 3
    order(4)
    fan_out.use(MODELS.velocities)
    assert asks(GATHER_S)
    assert fan_out.asked == 4


def test_recorded_orders_have_no_deadline_however_they_are_read() -> None:
    live = pipeline(Joiners(deadline=0.25))
    for fetched in Fetches(PARTITIONS).of(orders({"user_id": "u", "device_id": "d"})):
        live.feed(fetched)
    now_ms = START + RECENT_MS + 1
    assert live.work(lambda tp: 0, 10.0, now_ms) is None
    assert live.work(lambda tp: 0, 1_000.0, now_ms) is None
    assert live.wait(lambda tp: 0, 1_000.0) is None
    assert live.work(lambda tp: 0, 1_000.0, now_ms - 1) is not None
