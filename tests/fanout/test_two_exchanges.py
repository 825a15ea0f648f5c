"""Two processes that talk by topics in memory: records are read back, shared by several messages, and known already."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from prometheus_client import CollectorRegistry

from app.fanout.clients import Clients, Topics
from app.fanout.exchange import Exchange
from app.fanout.joiner import Joiners
from app.fanout.merger import Merger
from app.fanout.messages import unpacked
from app.fanout.partition import Resume
from app.fanout.parts import FanOutParts
from app.ops.metrics import Metrics
from app.velocity.stream import TURNS
from app.velocity.table import VelocityTable
from tests.fanout.cluster import Topics as Inputs
from tests.fanout.test_recovery import PARTITIONS, WANTED, stream
from tests.velocity.naive import columns

TOPICS = Topics("group")


class Broker:
    """Topics in memory; it is a producer of everybody."""

    def __init__(self) -> None:
        self.logs: defaultdict[TopicPartition, list[ConsumerRecord]] = defaultdict(list)

    async def send(self, topic: str, value: bytes, partition: int) -> "asyncio.Future[Any]":
        log = self.logs[TopicPartition(topic, partition)]
        log.append(ConsumerRecord(topic, partition, len(log), _now_ms(), 0, None, value, None, 0, len(value), ()))
        written: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        written.set_result(log[-1])
        return written


class Consumer:
    """Reads some of what there is, now of these partitions and now of others."""

    def __init__(self, broker: Broker, rng: random.Random) -> None:
        self._broker, self._rng = broker, rng
        self._positions: dict[TopicPartition, int] = {}

    def assign(self, _: object) -> None:
        """It reads what it seeks."""

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    def highwater(self, tp: TopicPartition) -> int:
        return len(self._broker.logs[tp])

    def paused(self) -> set[TopicPartition]:
        return set()

    @property
    def is_done(self) -> bool:
        return all(position == len(self._broker.logs[tp]) for tp, position in self._positions.items())

    async def getmany(self, **_: object) -> Mapping[TopicPartition, list[ConsumerRecord]]:
        found = {}
        for tp, position in self._positions.items():
            records = self._broker.logs[tp][position : position + self._rng.choice([0, 1, 7])]
            if records:
                found[tp] = records
                self._positions[tp] += len(records)
        return found


class Process:
    """Has some of the partitions."""

    def __init__(self, broker: Broker, mine: tuple[int, ...], seed: int) -> None:
        self.joiners, self.mine = Joiners(deadline=None), mine
        self.parts = FanOutParts((), PARTITIONS, WANTED, self.joiners, max_idle=0)
        self.consumer = Consumer(broker, random.Random(seed))
        clients = Clients("", cast(Any, self.consumer), cast(Any, broker))
        self.exchange = Exchange(clients, TOPICS, self.parts, Metrics(CollectorRegistry()))
        for number in mine:
            self.parts.owners.mergers[number] = Merger(PARTITIONS)
            self.parts.begin(number, 0, Resume())
            topics = (*TURNS, TOPICS.asks, TOPICS.answers)
            self.exchange.begin({TopicPartition(topic, number): 0 for topic in topics})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize("shares", [[(0, 1, 2)], [(0, 2), (1,)]], ids=["one process", "two processes"])
@pytest.mark.parametrize("seed", [1, 2])
def test_orders_are_told_what_one_table_says(seed: int, shares: list[tuple[int, ...]]) -> None:
    async def run() -> tuple[Broker, list[Process], list[tuple[int, int]]]:
        broker, inputs = Broker(), Inputs(PARTITIONS)
        places = [inputs.put(event) for event in events]
        for (topic, partition), values in inputs.inputs.items():
            for offset, value in enumerate(values):
                record = ConsumerRecord(topic, partition, offset, 0, 0, None, value, None, 0, len(value), ())
                broker.logs[TopicPartition(topic, partition)].append(record)
        processes = [Process(broker, mine, seed + number) for number, mine in enumerate(shares)]
        idle = 0
        while idle < 3:
            for process in processes:
                await process.exchange.turn()
            idle = idle + 1 if all(process.consumer.is_done for process in processes) else 0
        return broker, processes, [place for place, event in zip(places, events, strict=True) if event.bad is None]

    events = stream(seed, 120)
    broker, processes, places = asyncio.run(run())
    expected = VelocityTable(WANTED).process(*columns(events))
    for (partition, offset), wanted in zip(places, expected, strict=True):
        (process,) = (each for each in processes if partition in each.mine)
        joined = process.joiners.of(partition).take(np.array([offset]), WANTED)
        assert not joined.partial.any()
        np.testing.assert_array_equal(joined.values[0], wanted, err_msg=f"{partition}/{offset}")
    asks = [record.value for number in range(PARTITIONS) for record in broker.logs[TopicPartition(TOPICS.asks, number)]]
    assert max(len(unpacked(value)) for value in asks) == max(map(len, shares)), "one record for all who ask at once"
