"""Velocities over Kafka: two processes' worth of partitions tell every order what one table would."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from app.fanout.exchange import Exchange
from app.fanout.joiner import Joiners
from app.fanout.service import FanOut, FanOutOptions
from app.kafka.devbroker import DevelopmentBroker
from app.kafka.topics import create_topics, topic
from app.ops.metrics import Metrics
from app.velocity.catalogue import CATALOGUE
from app.velocity.entities import ENTITIES
from app.velocity.table import VelocityTable
from schemas.topics import LABELS, ORDERS
from tests.broker.conftest import MakeTopics
from tests.broker.transport_app import unique
from tests.velocity.naive import Event, columns

pytestmark = pytest.mark.broker

PARTITIONS = 4
START = 1_700_000_000_000
WANTED = tuple(velocity for velocity in CATALOGUE if velocity.window in ("1h", "7d"))
_FIELDS = {"device": "device_id", "card": "card_hash", "merchant": "merchant_id"}

Found = dict[tuple[int, int], NDArray[np.float64]]


def events(count: int) -> list[Event]:
    """Orders of users who share devices, cards and merchants, and what turned out of some."""
    rng, ts, found = random.Random(11), START, list[Event]()
    for number in range(count):
        ts += rng.choice([1, 1_000, 600_000, 3_600_000])
        placed = [event for event in found[-50:] if event.bad is None]
        if placed and rng.random() < 0.1:
            about = rng.choice(placed)
            found.append(Event(ts, about.order, about.user, bad=True))
        else:
            names = {kind: f"{kind}{rng.randrange(9)}" for kind in _FIELDS if rng.random() < 0.8}
            found.append(Event(ts, f"o{number}", f"u{rng.randrange(30)}", rng.randrange(1, 10**6), names))
    return found


def value(number: int, event: Event) -> bytes:
    common = {"event_id": f"e{number}", "ts": event.ts, "user_id": event.user, "order_id": event.order}
    if event.bad is not None:
        return msgspec.json.encode(common | {"label": "fraud"})
    order = common | {"type": "order_placed", "value": event.amount / 10_000, "currency": "EUR"}
    return msgspec.json.encode(order | {_FIELDS[kind]: name for kind, name in event.names.items()})


async def sent(kafka: str, stream: Sequence[Event]) -> list[tuple[int, int]]:
    """Write the events; the partition and offset of every order."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        futures = [
            await producer.send(
                ORDERS if event.bad is None else LABELS,
                value(number, event),
                event.user.encode(),
                timestamp_ms=event.ts,
            )
            for number, event in enumerate(stream)
        ]
        written = await asyncio.gather(*futures)
    return [(at.partition, at.offset) for at, event in zip(written, stream, strict=True) if event.bad is None]


class Orders:
    """The orders that have gone on, of these by partition and offset."""

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        self.found: Found = {}
        self.changed = asyncio.Event()
        self._places = places

    def take(self, joiners: Joiners, partitions: Collection[int]) -> None:
        for partition in partitions:
            joiner = joiners.of(partition)
            offsets = np.array([offset for number, offset in self._places if number == partition])
            ready = offsets[: joiner.ready(offsets, 0, is_live=False)]
            joined = joiner.take(ready, WANTED)
            for offset, values, partial in zip(ready.tolist(), joined.values, joined.partial.tolist(), strict=True):
                assert not partial
                known = self.found.setdefault((partition, offset), values)
                np.testing.assert_array_equal(known, values)
        self.changed.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.found) < count:
                self.changed.clear()
                await self.changed.wait()


@dataclass(frozen=True)
class Group:
    """Workers of a group with internal topics of its own, and the folder of their snapshots."""

    kafka: str
    folder: Path
    name: str = field(default_factory=lambda: unique("fanout"))

    @asynccontextmanager
    async def running(self, mine: Sequence[int], orders: Orders, instance: str = "a") -> AsyncIterator[FanOut]:
        """A worker that has partitions ``mine``."""
        joiners = Joiners(deadline=None)
        options = FanOutOptions(self.kafka, self.name, PARTITIONS, self.folder / instance)
        metrics = Metrics(CollectorRegistry())
        service = FanOut(options, WANTED, joiners, lambda changed: orders.take(joiners, changed), metrics)
        service.assign(dict.fromkeys(mine, 0))
        task = asyncio.create_task(service.run())
        try:
            yield service
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])


def assert_as_one_table(stream: list[Event], places: list[tuple[int, int]], orders: Orders) -> None:
    expected = VelocityTable(WANTED).process(*columns(stream))
    assert orders.found.keys() == set(places)
    for place, values in zip(places, expected, strict=True):
        np.testing.assert_array_equal(orders.found[place], values)


def test_two_services_tell_every_order_what_one_table_would(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    make_topics([ORDERS, LABELS], PARTITIONS)
    group = Group(kafka, tmp_path)

    async def run() -> None:
        stream = events(600)
        places = await sent(kafka, stream)
        orders = Orders(places)
        async with group.running([0, 3], orders), group.running([1, 2], orders, "b"):
            await orders.until(len(places))
        assert_as_one_table(stream, places, orders)

    asyncio.run(run())


def test_a_service_that_is_replaced_goes_on_with_the_same_numbers(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    make_topics([ORDERS, LABELS], PARTITIONS)
    group = Group(kafka, tmp_path)

    async def run() -> None:
        stream = events(600)
        places = await sent(kafka, stream)
        orders = Orders(places)
        async with group.running([0, 3], orders):
            async with group.running([1, 2], orders, "b"):
                await orders.until(100)
            async with group.running([1, 2], orders, "b"):
                await orders.until(len(places))
        assert_as_one_table(stream, places, orders)

    asyncio.run(run())


def test_partitions_that_move_between_workers_lead_to_the_same_numbers(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    make_topics([ORDERS, LABELS], PARTITIONS)
    group = Group(kafka, tmp_path)

    async def run() -> None:
        stream = events(600)
        places = await sent(kafka, stream)
        orders = Orders(places)
        async with group.running([0, 3], orders) as one, group.running([1], orders, "b") as other:
            one.revoke([3])
            other.assign({3: 0, 2: 0})
            await orders.until(len(places) // 2)
            other.revoke([2])
            one.assign({2: 0})
            await orders.until(len(places))
        assert_as_one_table(stream, places, orders)

    asyncio.run(run())


def test_a_broker_that_is_restarted_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    with DevelopmentBroker(tmp_path / "kafka") as broker:
        asyncio.run(create_topics(broker.address, [topic(name, PARTITIONS) for name in (ORDERS, LABELS)]))
        group = Group(broker.address, tmp_path)

        async def run() -> None:
            stream = events(300)
            places = await sent(broker.address, stream[:150])
            orders = Orders(places)
            async with group.running([0, 1, 2, 3], orders):
                await orders.until(len(places))
                assert_as_one_table(stream[:150], places, orders)
                await asyncio.to_thread(broker.kill)
                await asyncio.to_thread(broker.start)
                places += await sent(broker.address, stream[150:])
                await orders.until(len(places))

        asyncio.run(run())


def test_when_the_broker_does_not_take_a_message_the_service_begins_anew_and_the_numbers_are_the_same(
    kafka: str, make_topics: MakeTopics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topics([ORDERS, LABELS], PARTITIONS)
    group, turn, failed = Group(kafka, tmp_path), Exchange.turn, list[set[int]]()

    async def failing_once(exchange: Exchange) -> set[int]:
        changed = await turn(exchange)
        if changed and not failed:
            failed.append(changed)
            raise KafkaTimeoutError
        return changed

    monkeypatch.setattr(Exchange, "turn", failing_once)

    async def run() -> None:
        stream = events(600)
        places = await sent(kafka, stream)
        orders = Orders(places)
        async with group.running([0, 1, 2, 3], orders):
            await orders.until(len(places))
        assert failed, "something had been asked by then"
        assert_as_one_table(stream, places, orders)

    asyncio.run(run())


def test_the_fields_of_the_test_are_entities() -> None:
    assert _FIELDS.keys() <= set(ENTITIES)
