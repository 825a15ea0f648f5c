"""What the batch transport delivers, on a real Kafka."""

import asyncio
import time
from functools import partial
from pathlib import Path

import faust
import pytest
from aiokafka import AIOKafkaProducer

from app.kafka.faust_app import BatchApp
from app.kafka.fetched import Fetched
from app.kafka.options import TransportOptions
from tests.broker.conftest import MakeTopics
from tests.broker.transport_app import (
    Taken,
    committed,
    end_offsets,
    make_durable,
    produce,
    running,
    take_only,
    unique,
    until,
    worker,
)

pytestmark = pytest.mark.broker


def test_a_batch_is_one_real_event_of_its_partition(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    """Pain 24: `take()` has no current event, so tables cannot be written in it."""
    clicks, orders, labels = topics = [unique(name) for name in ("clickstream", "orders", "labels")]
    make_topics(topics, 2)
    seen: list[tuple[object, int]] = []

    async def handle(app: BatchApp, fetched: Fetched) -> None:
        event = faust.current_event()
        assert event is not None
        seen.append((event.value, event.message.partition))
        await make_durable(app, fetched)

    async def run() -> None:
        for topic, values in ((clicks, [b"1", b"2", b"3"]), (orders, [b"4"]), (labels, [b"5"])):
            await produce(kafka, topic, 1, values)
        app, taken = worker(kafka, tmp_path, topics, handle)
        async with running(app):
            await until(lambda: taken.records() == 5, "five records")
        assert taken.values(clicks) == [b"1", b"2", b"3"]
        assert seen == [(fetched, 1) for fetched in taken]

    asyncio.run(run())


def test_transactions_leave_no_gap_in_the_commit(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    """Pains 2 and 7: markers and aborted records are offsets without records, also at the very end."""
    topic, group = unique("clickstream"), unique("group")
    make_topics([topic], 1)

    async def run() -> None:
        await produce(kafka, topic, 0, [b"1", b"2"], transactional_id=unique("producer"))
        await abort(kafka, topic, [b"gone"])
        await produce(kafka, topic, 0, [b"3"], transactional_id=unique("producer"))
        app, taken = worker(kafka, tmp_path, [topic], group=group)
        async with running(app):
            end = (await end_offsets(kafka, [(topic, 0)]))[topic, 0]
            await until(lambda: app.consumer.ledger.durable((topic, 0)) == end, "the end of the topic")
        assert taken.values(topic) == [b"1", b"2", b"3"]
        assert await committed(kafka, group, [(topic, 0)]) == {(topic, 0): 7} == {(topic, 0): end}

    asyncio.run(run())


async def abort(kafka: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=unique("producer")) as producer:
        await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
        await producer.abort_transaction()


def test_a_deep_partition_does_not_starve_the_others(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    topic = unique("clickstream")
    make_topics([topic], 4)

    async def run() -> None:
        await produce(kafka, topic, 0, [b"%d" % n for n in range(20_000)])
        for partition in (1, 2, 3):
            await produce(kafka, topic, partition, [b"trickle"])
        app, taken = worker(kafka, tmp_path, [topic], options=TransportOptions(batch_records=100))
        async with running(app):
            await until(lambda: taken.records() == 20_003, "every record")
        assert max(map(len, taken)) == 100
        trickles = [index for index, fetched in enumerate(taken) if fetched.partition != 0]
        assert len(trickles) == 3
        assert max(trickles) < 20

    asyncio.run(run())


@pytest.mark.alone
def test_a_quiet_topic_delays_nobody(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    """With one fetch in flight at a broker, the wait for a quiet topic must not become the latency of a busy one."""
    busy, _quiet = topics = [unique("clickstream"), unique("labels")]
    make_topics(topics, 2)

    async def run() -> None:
        app, taken = worker(kafka, tmp_path, topics)
        delays = []
        async with running(app):
            await produce(kafka, busy, 0, [b"first"])
            await until(lambda: taken.records() == 1, "the first record")
            for number in range(20):
                await produce(kafka, busy, number % 2, [b"%d" % number])
                sent = time.monotonic()
                await until(partial(holds, taken, number + 2), f"record {number}")
                delays.append(time.monotonic() - sent)
        assert sorted(delays)[len(delays) // 2] < 0.1

    def holds(taken: Taken, records: int) -> bool:
        return taken.records() >= records

    asyncio.run(run())


def test_lag_is_what_the_broker_has_more(kafka: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    topic = unique("clickstream")
    make_topics([topic], 2)
    options = TransportOptions(batch_records=10, partition_batches=1, fetch_bytes=1_000)

    async def run() -> None:
        await produce(kafka, topic, 0, [b"value"] * 100)
        app, taken = worker(kafka, tmp_path, [topic], take_only, options=options)
        async with running(app):
            await until(lambda: taken.records() == 10, "the first batch")
            await until(lambda: app.consumer.lag((topic, 1)) == 0, "an answer for the empty partition")
            assert app.consumer.lag((topic, 0), taken[0].next_offset) == 90
            assert app.consumer.lag((topic, 0), 100) == 0
            assert app.consumer.lag(("unknown", 0)) is None

    asyncio.run(run())


def test_a_full_partition_is_paused_while_polling_and_the_others_go_on(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    """A consumer that stops polling under backpressure is evicted, rejoins, and delivers twice."""
    topic = unique("clickstream")
    make_topics([topic], 2)
    values = [b"%03d" % n + b"x" * 300 for n in range(1_000)]
    options = TransportOptions(batch_records=10, partition_records=40, fetch_bytes=1_000)

    async def run() -> None:
        await produce(kafka, topic, 0, values)
        app, taken = worker(
            kafka, tmp_path, [topic], take_only, options=options, settings={"broker_max_poll_interval": 1.0}
        )
        async with running(app):
            await until(lambda: app.consumer.in_flight.records >= 40, "the limit")
            generation = app.consumer_generation_id
            await asyncio.sleep(2.5)  # longer than a consumer that stopped polling would be kept
            assert taken.records() < 60
            await produce(kafka, topic, 1, [b"other"])
            await until(lambda: any(fetched.partition == 1 for fetched in taken), "the other partition")
            async with asyncio.timeout(8):  # paused and fetched many times, beside a partition that is quiet
                await finish_while_taking(app, taken)
            assert app.consumer_generation_id == generation
        assert [v for f in taken if f.partition == 0 for v in f.values] == values

    async def finish_while_taking(app: BatchApp, taken: Taken) -> None:
        done = 0
        while done < len(taken) or taken.records() < 1_001:
            await until(lambda: app.consumer.in_flight.records >= 40 or taken.records() == 1_001, "the limit")
            await asyncio.sleep(0.01)  # paused for long enough that a fetch without this partition is on its way
            for fetched in taken[done:]:
                await make_durable(app, fetched)
                done += 1

    asyncio.run(run())
