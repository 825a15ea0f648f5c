"""Partitions that move between workers, on a real Kafka."""

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest

from app.kafka.faust_app import BatchApp
from app.kafka.fetched import Fetched, Partition
from app.kafka.options import TransportOptions
from tests.broker.conftest import MakeTopics
from tests.broker.transport_app import (
    Taken,
    committed,
    make_durable,
    produce,
    running,
    take_only,
    unique,
    until,
    worker,
)

pytestmark = pytest.mark.broker

PARTITIONS = 4
SMALL = TransportOptions(batch_records=10)


def owned_numbers(app: BatchApp) -> dict[str, set[int]]:
    numbers: dict[str, set[int]] = defaultdict(set)
    for topic, partition in app.consumer.ledger.owned():
        numbers[topic].add(partition)
    return numbers


def test_equal_partitions_of_all_topics_go_to_one_worker(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    topics, group = [unique(name) for name in ("clickstream", "orders", "labels")], unique("group")
    make_topics(topics, PARTITIONS)

    async def run() -> None:
        first, _ = worker(kafka, tmp_path / "1", topics, group=group, instance="one")
        second, _ = worker(kafka, tmp_path / "2", topics, group=group, instance="two")
        async with running(first, second):
            await until(lambda: len(second.consumer.ledger.owned()) == 6, "half of the partitions")
            await until(lambda: len(first.consumer.ledger.owned()) == 6, "the other half")
            of_first, of_second = owned_numbers(first), owned_numbers(second)
        assert set(of_first) == set(of_second) == set(topics)
        assert of_first[topics[0]] == of_first[topics[1]] == of_first[topics[2]]
        assert all(of_first[topic] | of_second[topic] == set(range(PARTITIONS)) for topic in topics)

    asyncio.run(run())


def test_nothing_of_an_earlier_generation_is_taken_and_everything_is_done(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    """Pain 21: prefetched records were processed after a rebalance, and out of order."""
    topic, group, count = unique("clickstream"), unique("group"), 400
    make_topics([topic], PARTITIONS)
    stale: list[Fetched] = []

    async def slow(app: BatchApp, fetched: Fetched) -> None:
        if fetched.generation != app.consumer_generation_id or fetched.tp not in app.consumer.ledger.owned():
            stale.append(fetched)
        await asyncio.sleep(0.01)
        await make_durable(app, fetched)

    async def run() -> None:
        for partition in range(PARTITIONS):
            await produce(kafka, topic, partition, [b"%d" % n for n in range(count)])
        first, of_first = worker(kafka, tmp_path / "1", [topic], slow, group=group, instance="one", options=SMALL)
        second, of_second = worker(kafka, tmp_path / "2", [topic], slow, group=group, instance="two", options=SMALL)
        async with running(first):
            await until(lambda: of_first.records() > 200, "some work of the first")
            async with running(second):
                await until(lambda: of_second.records() > 0, "some work of the second")
                await until(lambda: all_seen(of_first, of_second, count), "every record")
        ends = {(topic, partition): count for partition in range(PARTITIONS)}
        assert await committed(kafka, group, ends) == ends
        assert stale == []
        assert_in_order(of_first)
        assert_in_order(of_second)

    asyncio.run(run())


def all_seen(first: Taken, second: Taken, count: int) -> bool:
    seen = {(f.partition, offset) for taken in (first, second) for f in taken for offset in f.offsets}
    return len(seen) == PARTITIONS * count


def assert_in_order(taken: Taken) -> None:
    position: dict[tuple[Partition, int], int] = {}
    for fetched in taken:
        assert fetched.first_offset == position.get((fetched.tp, fetched.generation), fetched.first_offset)
        position[fetched.tp, fetched.generation] = fetched.next_offset


def test_work_finished_while_partitions_are_given_up_is_committed(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topic, group = unique("clickstream"), unique("group")
    make_topics([topic], 1)
    asked: list[tuple[frozenset[Partition], float]] = []

    async def run() -> None:
        await produce(kafka, topic, 0, [b"1", b"2", b"3"])
        app, taken = worker(kafka, tmp_path, [topic], take_only, group=group)
        async with running(app):
            await until(lambda: taken.records() == 3, "the records")

            async def finish(partitions: frozenset[Partition], deadline: float) -> None:
                asked.append((partitions, deadline - asyncio.get_running_loop().time()))
                app.consumer.ledger.mark_durable((topic, 0), 2)

            app.consumer.on_revoking = finish
        ((partitions, seconds),) = asked
        assert partitions == {(topic, 0)}
        assert 0 < seconds <= app.transport_options.drain_timeout
        assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): 2}
        app.consumer.ledger.mark_durable((topic, 0), 3)
        assert app.consumer.ledger.committable() == {}

    asyncio.run(run())


def test_a_drain_that_does_not_end_is_cut_off(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    topic, group = unique("clickstream"), unique("group")
    make_topics([topic], 1)

    async def never(partitions: frozenset[Partition], deadline: float) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        await produce(kafka, topic, 0, [b"1", b"2"])
        app, taken = worker(
            kafka, tmp_path, [topic], take_only, group=group, options=TransportOptions(drain_timeout=0.3)
        )
        async with running(app):
            await until(lambda: taken.records() == 2, "the records")
            app.consumer.ledger.mark_durable((topic, 0), 1)
            app.consumer.on_revoking = never
            stopping = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - stopping < 5
        assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): 1}

    asyncio.run(run())
