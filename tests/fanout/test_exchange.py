"""One turn with the topics: what is asked goes out as a whole."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from prometheus_client import CollectorRegistry

from app.fanout.clients import Clients, Topics
from app.fanout.exchange import Exchange
from app.fanout.joiner import Joiners
from app.fanout.partition import Resume
from app.fanout.parts import FanOutParts
from app.ops.metrics import Metrics
from app.velocity.catalogue import CATALOGUE
from schemas.topics import ORDERS
from tests.fanout.cluster import value_of
from tests.velocity.naive import Event

TOPICS = Topics("group")
ORDERS_0, ASKS_0 = TopicPartition(ORDERS, 0), TopicPartition(TOPICS.asks, 0)


class Consumer:
    """Has some orders of partition 0."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._records = [_record(number, event) for number, event in enumerate(events)]
        self._end = len(events)

    async def getmany(self, **_: object) -> dict[TopicPartition, list[ConsumerRecord]]:
        return {ORDERS_0: self._records}

    async def position(self, _: TopicPartition) -> int:
        return self._end

    def highwater(self, tp: TopicPartition) -> int:
        return self._end if tp == ORDERS_0 else 0

    def paused(self) -> set[TopicPartition]:
        return set()

    def assign(self, _: object) -> None:
        """It is there anyway."""

    def seek(self, *_: object) -> None:
        """It begins there anyway."""


class Producer:
    """Has room for some messages, and for more when it is told so."""

    def __init__(self, room: int) -> None:
        self.sent: list[tuple[str, int]] = []
        self.full, self.empty = asyncio.Event(), asyncio.Event()
        self._room = room

    async def send(self, topic: str, value: bytes, partition: int) -> "asyncio.Future[Any]":
        if len(self.sent) == self._room:
            self.full.set()
            await self.empty.wait()
        self.sent.append((topic, partition))
        done = asyncio.get_running_loop().create_future()
        done.set_result(SimpleNamespace(offset=len(self.sent)))
        return done


def _record(offset: int, event: Event) -> ConsumerRecord:
    value = value_of(offset, event)
    return ConsumerRecord(ORDERS, 0, offset, event.ts, 0, event.user.encode(), value, None, 0, len(value), ())


def exchange(producer: Producer) -> Exchange:
    """One that has partition 0 of 3, and orders in it."""
    parts = FanOutParts((0,), 3, CATALOGUE, Joiners(deadline=None), max_idle=0)
    parts.begin(0, 1, Resume())
    orders = [Event(1_000 * number, f"o{number}", "u", 10, {"device": f"d{number}"}) for number in range(1, 9)]
    clients = Clients("", cast(Any, Consumer(orders)), cast(Any, producer))
    found = Exchange(clients, TOPICS, parts, Metrics(CollectorRegistry()))
    found.begin({ORDERS_0: 0, ASKS_0: 0})
    return found


def test_a_turn_that_is_cancelled_has_asked_all_owners_or_none() -> None:
    """The snapshot of a service that is stopped says that they were asked: what is missing then is missing for ever."""

    async def run() -> None:
        undisturbed, stopped = Producer(room=100), Producer(room=1)
        await exchange(undisturbed).turn()
        turn = asyncio.create_task(exchange(stopped).turn())
        await stopped.full.wait()
        turn.cancel()
        await asyncio.sleep(0)
        stopped.empty.set()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert stopped.sent == undisturbed.sent
        assert {partition for topic, partition in stopped.sent if topic == TOPICS.asks} == {0, 1, 2}

    asyncio.run(run())
