"""A column table under Faust: two workers, three input topics, partitions that change hands."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from faust.types import TP

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.faust_app import BatchApp, create_app
from app.kafka.fetched import Fetched
from app.kafka.topics import create_topics, topic
from app.state.changelog import ChangelogMismatch, changelog_topic
from app.state.held import PartitionLost
from app.state.recovery import RecoveryReport
from app.state.store import PartitionStore, StoreLocked, Stores
from app.state.table import ColumnTable, PartitionsApart
from app.state.table_manager import ColumnTableManager
from tests.broker.changelogs import stored_records
from tests.state.columns import DictRows

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PARTITIONS = 4
INPUTS = ("clickstream", "orders", "labels")


class Group:
    """Topics, a group, and everything its workers did."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.kafka = kafka
        self.folder = folder
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.inputs = [f"{self.name}-{name}" for name in INPUTS]
        self.apart: list[tuple[str, int]] = []
        self.sent: Counter[bytes] = Counter()

    async def create(self) -> None:
        await create_topics(self.kafka, [topic(name, PARTITIONS) for name in self.inputs])

    async def send(self, records: int) -> None:
        """Send events of 10 keys for each partition to every input."""
        async with AIOKafkaProducer(bootstrap_servers=self.kafka) as producer:
            for name in self.inputs:
                for number in range(records):
                    partition = number % PARTITIONS
                    key = b"user-%d-%d" % (partition, number // PARTITIONS % 10)
                    await producer.send(name, b"x", key, partition=partition)
                    self.sent[key] += 1
            await producer.flush()


class Worker:
    """A worker that counts events by key: a row is the count."""

    def __init__(self, group: Group, instance: str) -> None:
        self.group = group
        self.rows = DictRows()
        self.reports: list[RecoveryReport] = []
        self.app: BatchApp = create_app(
            group.name,
            group.kafka,
            group.folder / instance,
            instance=instance,
            session_timeout=6.0,
            commit_interval=0.2,
            settings={"TableManager": ColumnTableManager},
        )
        self.table = ColumnTable(
            self.app,
            name="sessions",
            rows=self.rows,
            stores=Stores(group.folder / instance / "sessions", lambda: 1_800_000_000_000),
            sources=group.inputs,
            broker=group.kafka,
            now_ms=lambda: 1_800_000_000_000,
            on_recovered=self.reports.append,
        )
        self.app.tables.add(self.table)
        self.app.agent(self.app.topic(*group.inputs), name=f"count-{group.name}")(self._count)

    async def _count(self, stream: Any) -> None:  # noqa: ANN401 (Faust's stream)
        async with AIOKafkaProducer(bootstrap_servers=self.group.kafka) as producer:
            async for event in stream.events():
                await self._step(event.value, producer)

    async def _step(self, fetched: Fetched, producer: AIOKafkaProducer) -> None:
        if set(self.rows_of_others(fetched.partition)):
            self.group.apart.append(fetched.tp)
        try:
            work = self.table.held.begin(fetched.partition)
        except PartitionLost:
            self.group.apart.append(fetched.tp)
            raise
        counts = Counter(key for key in fetched.keys if key)
        rows = self.rows.of(fetched.partition)
        keys = list(counts)
        values: list[bytes | None] = [b"%d" % (int(rows.get(key, b"0")) + counts[key]) for key in keys]
        self.rows.load(fetched.partition, keys, values)
        sent = [
            await producer.send(self.table.changelog_topic_name, value, key, partition=fetched.partition)
            for key, value in zip(keys, values, strict=True)
        ]
        acknowledged = await asyncio.gather(*sent)
        offset = acknowledged[-1].offset + 1 if acknowledged else None
        self.table.held.write(work, keys, values, offset)
        self.app.consumer.ledger.mark_durable(fetched.tp, fetched.next_offset)

    def rows_of_others(self, partition: int) -> list[bytes]:
        """Keys among the partition's rows that belong to another partition."""
        return [key for key in self.rows.of(partition) if not key.startswith(b"user-%d-" % partition)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Worker"]:
        """Started; at the end it leaves the group."""
        try:
            await self.app.start()
            yield self
        finally:
            await self.app.stop()

    @property
    def partitions(self) -> set[int]:
        return set(self.table.held.stores)

    def counts(self) -> dict[bytes, int]:
        return {key: int(value) for partition in self.partitions for key, value in self.rows.of(partition).items()}


async def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.02)


@pytest.fixture
def group(kafka: str, tmp_path: Path) -> Group:
    return Group(kafka, tmp_path)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(120):
            await scenario()

    asyncio.run(bounded())


def test_one_partition_of_all_inputs_goes_where_its_rows_are(group: Group) -> None:
    async def scenario() -> None:
        await group.create()
        async with AsyncExitStack() as stack:
            one, two = Worker(group, "one"), Worker(group, "two")
            first = await stack.enter_async_context(AsyncExitStack())
            await group.send(400)
            await first.enter_async_context(one.running())
            await until(lambda: one.counts() == group.sent, "one worker counts everything")
            assert one.partitions == set(range(PARTITIONS))

            await stack.enter_async_context(two.running())
            await until(lambda: len(one.partitions) == len(two.partitions) == 2, "two workers share")
            assert one.partitions | two.partitions == set(range(PARTITIONS))
            for worker in (one, two):
                assert set(worker.app.consumer.assignment()) == {
                    TP(name, partition) for name in group.inputs for partition in worker.partitions
                }, "the same partitions of every input, and none of the changelog"
            await group.send(400)
            await until(lambda: one.counts() | two.counts() == group.sent, "rows went on where they were")

            kept = two.partitions
            await first.aclose()
            await until(lambda: two.partitions == set(range(PARTITIONS)), "the survivor holds all")
            await group.send(400)
            await until(lambda: two.counts() == group.sent, "nothing was lost or counted twice")
            recovered = {each.partition for each in two.reports[-1].partitions}
            assert recovered == set(range(PARTITIONS)) - kept, "partitions that stayed were not read back"
            assert group.apart == []

    run(scenario)


def test_partitions_that_are_kept_go_on_while_others_are_recovered(group: Group) -> None:
    async def scenario() -> None:
        await group.create()
        one, two = Worker(group, "one"), Worker(group, "two")
        read_back, gate = two.table.held._recover, asyncio.Event()

        async def slowly(partitions: Collection[int]) -> tuple[dict[int, PartitionStore], RecoveryReport]:
            await gate.wait()
            return await read_back(partitions)

        async with two.running():
            async with one.running():
                await until(lambda: len(one.partitions) == len(two.partitions) == 2, "two workers share")
                kept = two.partitions
                two.table.held._recover = slowly
            await until(lambda: len(two.app.consumer.assignment()) == PARTITIONS * len(INPUTS), "the survivor has all")
            await group.send(400)
            own = {key: count for key, count in group.sent.items() if int(key.split(b"-")[1]) in kept}
            await until(lambda: two.counts() == own, "what it kept is processed")
            assert two.partitions == kept
            gate.set()
            await until(lambda: two.counts() == group.sent, "and then the others'", seconds=5)
            assert group.apart == []

    run(scenario)


def test_a_restart_finds_rows_on_disk_and_a_new_disk_finds_them_in_the_changelog(group: Group) -> None:
    async def scenario() -> None:
        await group.create()
        first = Worker(group, "one")
        await group.send(200)
        async with first.running():
            await until(lambda: first.counts() == group.sent, "counted")
        for instance, stored, records in (("one", 40, 0), ("other", 0, None)):
            worker = Worker(group, instance)
            async with worker.running():
                await until(lambda worker=worker: worker.counts() == group.sent, "recovered")  # type: ignore[misc]
                await until(lambda worker=worker: worker.reports != [], "and told")  # type: ignore[misc]
                (report,) = worker.reports
                assert sum(each.stored for each in report.partitions) == stored
                if records is not None:
                    assert sum(each.records for each in report.partitions) == records
                assert dict(worker.table.data) == {key: b"%d" % count for key, count in group.sent.items()}
        latest = {
            key: value for _, key, value in await stored_records(group.kafka, changelog_topic(group.name, "sessions"))
        }
        assert latest == {key: b"%d" % count for key, count in group.sent.items() if key.startswith(b"user-0-")}

    run(scenario)


def test_a_worker_that_cannot_recover_ends_and_says_why(group: Group) -> None:
    async def scenario() -> None:
        await group.create()
        worker = Worker(group, "one")
        other = Stores(group.folder / "one" / "sessions", lambda: 0).open(2)
        async with worker.running():
            await until(lambda: worker.app.crashed, "the worker ends")
        assert isinstance(worker.app.crash_reason, StoreLocked)
        assert worker.partitions == set()
        other.close()

    run(scenario)


def test_a_broker_that_goes_away_while_rows_are_read_back_only_delays_it(tmp_path: Path) -> None:
    with DevelopmentBroker(tmp_path / "kafka") as broker:
        run(lambda: _read_back_through_a_crash(broker, Group(broker.address, tmp_path)))


async def _read_back_through_a_crash(broker: DevelopmentBroker, group: Group) -> None:
    await group.create()
    await group.send(200)
    first, other = Worker(group, "one"), Worker(group, "other")
    async with first.running():
        await until(lambda: first.counts() == group.sent, "counted")
    read_back = other.table.held._recover
    restarts: list[asyncio.Task[bool]] = []
    attempts = 0

    async def without_a_broker(partitions: Collection[int]) -> tuple[dict[int, PartitionStore], RecoveryReport]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await asyncio.to_thread(broker.kill)
            restarts.append(asyncio.create_task(asyncio.to_thread(broker.start)))
        return await read_back(partitions)

    other.table.held._recover = without_a_broker
    async with other.running():
        await until(lambda: other.counts() == group.sent, "read back", seconds=60)
        assert attempts > 1
        assert not other.app.crashed
    assert await restarts[0]


def test_a_table_is_not_written_key_by_key(group: Group) -> None:
    async def scenario() -> None:
        worker = Worker(group, "one")
        with pytest.raises(TypeError, match="whole batches"):
            worker.table[b"user"] = b"1"
        with pytest.raises(TypeError, match="whole batches"):
            del worker.table[b"user"]
        with pytest.raises(TypeError, match="column tables"):
            worker.app.Table("plain")

    run(scenario)


def test_inputs_that_do_not_fit_together_are_refused(group: Group) -> None:
    async def scenario() -> None:
        await create_topics(
            group.kafka, [topic(group.inputs[0], 4), topic(group.inputs[1], 4), topic(group.inputs[2], 2)]
        )
        worker = Worker(group, "one")
        with pytest.raises(ChangelogMismatch, match="same number of partitions"):
            await worker.table.on_start()
        with pytest.raises(PartitionsApart, match="different partitions"):
            await worker.table.assign(
                [TP(topic, number) for topic, number in zip(group.inputs, (0, 0, 1), strict=True)], 1
            )

    run(scenario)
