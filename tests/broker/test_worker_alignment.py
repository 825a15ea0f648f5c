"""Alignment on a real Kafka: an order sees exactly the clicks before it, whichever was produced first."""

import asyncio
import itertools
import json
import random
import statistics
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from agents.events import register
from app.features.orders import ORDER_FEATURES
from app.ops.metrics import Metrics
from app.ops.progress import Progress
from app.ops.settings import Settings
from app.pipeline import Work
from app.tally import Tally
from app.worker.assembly import assemble
from app.worker.observer import Observer
from app.worker.service import WorkerService
from schemas.topics import CLICKSTREAM, INTENT_EVENTS, TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics, append
from tests.broker.transport_app import unique
from tests.broker.transport_app import until as until_true
from tests.broker.worker_process import running, until
from tests.fakes import fake_models
from tests.harness import START, Input, click, order

pytestmark = [pytest.mark.broker, pytest.mark.slow]

USERS = [f"user-{number}" for number in range(30)]
SEEN = [feature.name for feature in ORDER_FEATURES].index("session_events")


@pytest.fixture
def topics(kafka: str, make_topics: MakeTopics) -> ContractTopics:
    """All topics of the contract, empty."""
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    return ContractTopics(kafka)


class Recorder(Observer):
    """Keeps of every order how many clicks of its session it saw."""

    def __init__(self) -> None:
        super().__init__(Metrics(CollectorRegistry()), Progress(lambda: 0.0), Tally())
        self.seen: dict[str, int] = {}

    def stepped(self, work: Work, seconds: float) -> None:
        for scored in work.effects.orders:
            self.seen |= zip(scored.event_ids, scored.features[:, SEEN].astype(int).tolist(), strict=True)


def clicks_and_orders(of_each: int) -> tuple[list[Input], list[Input], dict[str, int]]:
    """Clicks of every user and orders between them, in order of event time; how many clicks are before each order."""
    clicks, orders, expected = [], [], {}
    for n, (number, user) in itertools.product(range(of_each), enumerate(USERS)):
        clicks.append(click(user, 1_000 * n + number, f"{user}-{n}"))
        if (n + number) % 3 == 0:
            orders.append(order(user, 1_000 * n + number + 500, f"{user}-order-{n}"))
            expected[f"{user}-order-{n}"] = n + 1
    return clicks, orders, expected


def play(
    topics: ContractTopics,
    folder: Path,
    expected: dict[str, int],
    live: Callable[[AIOKafkaProducer], Awaitable[None]] | None = None,
    **settings: object,
) -> None:
    """Let a worker process what is there and what ``live`` appends, and compare what the orders saw."""

    async def run() -> None:
        own = {"broker": topics.broker, "group": unique("align"), "state_dir": folder, "http_port": 0, **settings}
        recorder = Recorder()
        assembly = assemble(Settings(**own), fake_models(), recorder, PARTITIONS)  # type: ignore[arg-type]
        register(assembly.app, assembly.processor)
        service = WorkerService(assembly)
        async with topics.producer() as producer:
            await service.start()
            await assembly.app.start()
            try:
                if live is not None:
                    await until_true(lambda: assembly.table.held.stores, "partitions")
                    await live(producer)
                await until_true(lambda: len(recorder.seen) == len(expected), "every order")
            finally:
                await assembly.app.stop()
                await service.stop()
        assert recorder.seen == expected

    asyncio.run(run())


@pytest.mark.parametrize("first", ["orders", "clicks"])
@pytest.mark.parametrize("batch", [7, 4_096])
def test_in_a_backlog_every_order_sees_the_clicks_before_it(
    topics: ContractTopics, tmp_path: Path, first: str, batch: int
) -> None:
    clicks, orders, expected = clicks_and_orders(of_each=20)
    topics.send(*(orders + clicks if first == "orders" else clicks + orders))
    play(topics, tmp_path, expected, max_batch_records=batch, max_idle_ms=0)


def test_a_topic_with_lag_is_waited_for_however_long_its_backlog(topics: ContractTopics, tmp_path: Path) -> None:
    others = [click(f"other-{number % 500}", number // 100, f"c{number}") for number in range(30_000)]
    clicks, orders, expected = clicks_and_orders(of_each=3)
    topics.send(*orders, *others, *clicks)
    play(topics, tmp_path, expected, max_idle_ms=0)


def test_live_an_order_waits_a_moment_for_clicks_that_arrive_after_it(topics: ContractTopics, tmp_path: Path) -> None:
    clicks, orders, expected = clicks_and_orders(of_each=6)

    async def live(producer: AIOKafkaProducer) -> None:
        """A second of event time after the other, with its orders before its clicks."""
        for second in range(START // 1_000, START // 1_000 + 6):
            await append(producer, [one for one in orders + clicks if fields(one.value)["ts"] // 1_000 == second])

    play(topics, tmp_path, expected, live, max_idle_ms=1_000)


@pytest.mark.alone
def test_quiet_orders_and_labels_do_not_delay_clicks(topics: ContractTopics, tmp_path: Path) -> None:
    pause = random.Random(5)

    async def live() -> None:
        async with topics.producer() as producer:
            for number in range(100):
                await append(producer, [click(f"u{number % 20}", number, f"c{number}")])
                await asyncio.sleep(pause.uniform(0.0, 0.04))

    group = unique("quiet")
    with running(topics.broker, tmp_path / "state", group) as worker:
        worker.until_ready()
        asyncio.run(live())
        until(lambda: topics.committed(group) == topics.ends(), f"every click done; {worker.tail()}")
        worker.stop()
    came = {fields(one.record.value)["event_id"]: one.appended_at for one in topics.stored(CLICKSTREAM)}
    left = {one.record.body["source_event_id"]: one.appended_at for one in topics.stored(INTENT_EVENTS)}
    assert left.keys() == came.keys()
    assert statistics.median(left[name] - came[name] for name in left) < 200, worker.tail()


def fields(value: bytes | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(value or b"")
    return found
