"""What the fetcher may take: taking moves the position, so what the caller would drop is lost (pain 21)."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition

from app.kafka.columns import ColumnResult
from app.kafka.fetched import Fetched
from app.kafka.fetcher import Active, ColumnFetcher
from app.kafka.options import TransportOptions
from tests.kafka.test_columns import TP, record_batch, records_of

PARTITION = (TP.topic, TP.partition)
NOTHING = SimpleNamespace(API_VERSION=4, topics=[])


class Bench:
    """A fetcher without a broker: partitions are assigned and answers arrive when the test says so."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        cluster = SimpleNamespace(leader_for_partition=lambda tp: None)
        client = SimpleNamespace(
            _loop=loop,
            _metadata_max_age_ms=1_000,
            cluster=cluster,
            force_metadata_update=loop.create_future,
            send=self._send,
        )
        self.requests: asyncio.Queue[asyncio.Future[object]] = asyncio.Queue()
        """The answers that the broker owes."""
        self.subscriptions = SubscriptionState(loop=loop)
        self.subscriptions.subscribe({TP.topic})
        self.fetcher = ColumnFetcher(
            TransportOptions(), client, self.subscriptions, isolation_level="read_committed", fetcher_timeout=3_600
        )
        self.is_flowing = True

    def assign(self, *partitions: TopicPartition) -> None:
        self.subscriptions.assign_from_subscribed(set(partitions))
        for tp in partitions:
            self.subscriptions.seek(tp, 0)

    def answer(self, *values: bytes) -> None:
        records = records_of(record_batch(0, values), 0, 0, None)
        assignment = self.subscriptions.subscription.assignment
        plain = FetchResult(TP, assignment=assignment, partition_records=records, backoff=0.1)
        self.fetcher._records[TP] = ColumnResult(plain, 0.1)
        for waiter in self.fetcher._fetch_waiters:
            self.fetcher._notify(waiter)

    async def _send(self, node: int, request: object) -> object:
        answer = asyncio.get_running_loop().create_future()
        self.requests.put_nowait(answer)
        return await answer

    @property
    def position(self) -> int:
        position: int = self.subscriptions.subscription.assignment.state_value(TP).position
        return position

    async def fetch(self, request: object, answer: object) -> None:
        """A round trip to the broker: it gives the answer, or fails with it."""

        async def send(node: int, sent: object) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.fetcher._client.send = send
        await self.fetcher._proc_fetch_request(self.subscriptions.subscription.assignment, 0, request)

    def fetched(self, *held: tuple[str, int]) -> "asyncio.Task[list[Fetched]]":
        call = self.fetcher.fetched(Active(1, {PARTITION}), frozenset(held), 1, lambda: self.is_flowing, 5.0)
        return asyncio.create_task(call)


def on_bench(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        bench = Bench()
        try:
            await scenario(bench)
        finally:
            await bench.fetcher.close()

    asyncio.run(run())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_waiting_ends_with_the_first_answer() -> None:
    async def scenario(bench: Bench) -> None:
        bench.assign(TP)
        waiting = bench.fetched()
        await settle()
        assert not waiting.done()
        bench.answer(b"1", b"2")
        (piece,) = await waiting
        assert (piece.values, piece.generation, bench.position) == ([b"1", b"2"], 1, 2)

    on_bench(scenario)


def test_nothing_is_taken_of_an_assignment_made_after_the_call() -> None:
    async def scenario(bench: Bench) -> None:
        bench.assign(TP)
        waiting = bench.fetched()
        await settle()
        bench.assign(TP)
        await settle()
        bench.answer(b"1")
        assert await waiting == []
        assert bench.position == 0

    on_bench(scenario)


def test_nothing_is_taken_once_the_flow_has_stopped() -> None:
    async def scenario(bench: Bench) -> None:
        bench.assign(TP)
        waiting = bench.fetched()
        await settle()
        bench.is_flowing = False
        bench.answer(b"1")
        assert await waiting == []
        assert bench.position == 0

    on_bench(scenario)


def test_a_held_partition_is_given_as_soon_as_it_is_released() -> None:
    async def scenario(bench: Bench) -> None:
        bench.assign(TP)
        waiting = bench.fetched(PARTITION)
        await settle()
        bench.answer(b"1")
        await settle()
        assert not waiting.done()
        bench.fetcher.hold(frozenset())
        (piece,) = await waiting
        assert piece.values == [b"1"]

    on_bench(scenario)


def test_records_taken_while_an_answer_arrives_do_not_hold_the_next_fetch_up() -> None:
    """aiokafka then found the node still busy, and slept for its whole time-out."""

    async def scenario(bench: Bench) -> None:
        bench.fetcher._client.cluster.leader_for_partition = lambda tp: 0
        bench.fetcher.activate(Active(1, {PARTITION, (TP.topic, TP.partition + 1)}))
        bench.assign(TP, TopicPartition(TP.topic, TP.partition + 1))
        both = await bench.requests.get()
        bench.answer(b"1")
        both.set_result(NOTHING)
        other = await bench.requests.get()
        asyncio.get_running_loop().call_soon(other.set_result, NOTHING)
        assert bench.fetcher._take(1)
        async with asyncio.timeout(5):
            await bench.requests.get()

    on_bench(scenario)


def test_the_end_of_a_partition_is_unknown_before_its_first_answer() -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.fetcher.end_offset(PARTITION) is None
        bench.assign(TP)
        assert bench.fetcher.end_offset(PARTITION) is None
        bench.subscriptions.subscription.assignment.state_value(TP).lso = 7
        assert bench.fetcher.end_offset(PARTITION) == 7

    on_bench(scenario)


def test_when_the_broker_answered_is_known_and_a_failed_fetch_is_no_answer() -> None:
    request = SimpleNamespace(topics=[(TP.topic, [(TP.partition, 0, 1 << 20)])])
    nothing_new = SimpleNamespace(API_VERSION=4, topics=[(TP.topic, [(TP.partition, 0, 0, 0, [], b"")])])

    async def scenario(bench: Bench) -> None:
        bench.assign(TP)
        await bench.fetch(request, KafkaConnectionError())
        assert bench.fetcher.answered_at() is None
        await bench.fetch(request, nothing_new)
        answered_at = bench.fetcher.answered_at()
        assert answered_at is not None
        await bench.fetch(request, KafkaConnectionError())
        assert bench.fetcher.answered_at() == answered_at
        bench.assign(TP)
        assert bench.fetcher.answered_at() is None

    on_bench(scenario)
