"""What the batch transport commits, on a real Kafka: only what the ledger says is durable."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.kafka.consumer import Consumer
from app.kafka.faust_app import BatchApp
from app.kafka.fetched import Fetched, Partition
from app.kafka.options import TransportOptions
from app.kafka.producer import DeliveryFailed, Send
from app.kafka.topics import Topic, create_topics
from app.kafka.transport import Transport
from tests.broker.conftest import MakeTopics
from tests.broker.transport_app import (
    committed,
    make_durable,
    produce,
    read_all,
    running,
    take_only,
    unique,
    until,
    worker,
)

pytestmark = pytest.mark.broker


def test_an_advancing_stream_commits_nothing(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    """Faust acknowledges a batch when the agent takes the next one; here it was not even begun."""
    topic, group = unique("clickstream"), unique("group")
    make_topics([topic], 1)

    async def run() -> None:
        await produce(kafka, topic, 0, [b"%d" % n for n in range(100)])
        app, taken = worker(
            kafka, tmp_path, [topic], take_only, group=group, options=TransportOptions(batch_records=10)
        )
        async with running(app):
            await until(lambda: len(taken) == 10, "every batch")
            await asyncio.sleep(0.5)  # five commit intervals
            app.consumer.ledger.mark_durable((topic, 0), 37)
            await until(lambda: app.consumer.ledger.committable() == {}, "a commit")
        assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): 37}

    asyncio.run(run())


def test_a_slow_delivery_holds_the_commit_back(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    """Pain 3: Faust's flush gives up after 0.1 s without an answer, and then commits."""
    topic, output, group = unique("clickstream"), unique("out"), unique("group")
    make_topics([topic, output], 1)
    answered = asyncio.Event()

    async def handle(app: BatchApp, fetched: Fetched) -> None:
        sent = await app.producer.send_records(Send(output, 0, fetched.timestamps[0], fetched.keys, fetched.values))
        await answered.wait()
        assert await sent == 2
        await make_durable(app, fetched)

    async def run() -> None:
        await produce(kafka, topic, 0, [b"1", b"2"])
        app, _ = worker(kafka, tmp_path, [topic], handle, group=group)
        async with running(app):
            await asyncio.sleep(4.0)
            assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): None}
            answered.set()
            await until(lambda: app.consumer.ledger.durable((topic, 0)) == 2, "the delivery")
        assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): 2}
        assert await read_all(kafka, output, 0) == [b"1", b"2"]

    asyncio.run(run())


def test_a_rejected_output_ends_the_worker_and_commits_nothing(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    """Pains 4 and 6: Faust logs the rejection, acknowledges the event, and goes on with the next."""
    topic, output, group = unique("clickstream"), unique("out"), unique("group")
    make_topics([topic], 1)

    async def handle(app: BatchApp, fetched: Fetched) -> None:
        await (await app.producer.send_records(Send(output, 0, fetched.timestamps[0], fetched.keys, fetched.values)))
        await make_durable(app, fetched)

    async def run() -> None:
        await create_topics(kafka, [Topic(output, 1, {"max.message.bytes": "1000"})])
        await produce(kafka, topic, 0, [b"small", b"x" * 5_000, b"later"])
        options = TransportOptions(batch_records=1)
        app, taken = worker(kafka, tmp_path, [topic], handle, group=group, options=options)
        async with running(app):
            await until(lambda: app.crashed, "the end of the worker")
            assert isinstance(app.crash_reason, DeliveryFailed)
            assert "/0: records were not delivered: MessageSizeTooLargeError" in str(app.crash_reason)
        assert taken.values(topic)[:2] == [b"small", b"x" * 5_000]
        assert len(taken) == 2
        assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): 1}

    asyncio.run(run())


def test_a_batch_whose_agent_failed_is_delivered_again(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    """Pain 6."""
    topic, group = unique("clickstream"), unique("group")
    make_topics([topic], 1)

    async def fail(app: BatchApp, fetched: Fetched) -> None:
        if fetched.values == [b"poison"]:
            raise RuntimeError("poison")
        await make_durable(app, fetched)

    async def run() -> None:
        await produce(kafka, topic, 0, [b"good", b"poison", b"later"])
        options = TransportOptions(batch_records=1)
        first, _ = worker(kafka, tmp_path, [topic], fail, group=group, options=options)
        async with running(first):
            await until(lambda: first.crashed, "the end of the worker")
        second, taken = worker(kafka, tmp_path, [topic], group=group, options=options)
        async with running(second):
            await until(lambda: taken.records() == 2, "the failed batch and the one after it")
        assert taken.values(topic) == [b"poison", b"later"]
        assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): 3}

    asyncio.run(run())


class FailsTwice(Consumer):
    """The broker refuses the first two commits."""

    refused: int = 0

    async def _commit(self, offsets: Mapping[Partition, int]) -> bool:
        if self.refused < 2:
            self.refused += 1
            return False
        done: bool = await super()._commit(offsets)
        return done


class FailingTransport(Transport):
    Consumer = FailsTwice


def test_a_failed_commit_is_repeated(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    """Pain 5: Faust takes a failed commit for a committed one."""
    topic, group = unique("clickstream"), unique("group")
    make_topics([topic], 1)

    async def run() -> None:
        await produce(kafka, topic, 0, [b"1", b"2"])
        app, _ = worker(kafka, tmp_path, [topic], group=group)
        app.transport = FailingTransport(app.conf.broker_consumer, app)
        async with running(app):
            await until(lambda: app.consumer.refused == 2, "two refused commits")
            await until(lambda: app.consumer.ledger.durable((topic, 0)) == 2, "both records")
            await until(lambda: app.consumer.ledger.committable() == {}, "a commit that works")
            assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): 2}

    asyncio.run(run())
