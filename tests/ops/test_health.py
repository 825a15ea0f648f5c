"""Health over HTTP, with a real client on a free port."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry

from app.cli.errors import UsageProblem
from app.ops.health import HealthServer
from app.ops.metrics import Metrics
from app.ops.progress import Progress
from tests.ops.clock import Clock

Get = Callable[[str], Awaitable[tuple[int, str, str]]]


def serve(progress: Progress, registry: CollectorRegistry, ask: Callable[[Get], Awaitable[None]]) -> None:
    async def run() -> None:
        async with HealthServer(progress, registry) as server, ClientSession() as session:

            async def get(path: str) -> tuple[int, str, str]:
                async with session.get(f"http://127.0.0.1:{server.port}{path}") as answer:
                    return answer.status, await answer.text(), answer.headers["Content-Type"]

            await ask(get)

    asyncio.run(run())


def test_alive_is_not_ready() -> None:
    async def ask(get: Get) -> None:
        assert (await get("/healthz"))[:2] == (200, '{"alive": true}')
        status, body, _ = await get("/readyz")
        assert (status, body) == (503, '{"ready": false, "reason": "no partitions are assigned"}')

    serve(Progress(Clock()), CollectorRegistry(), ask)


def test_readiness_follows_progress() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.assigned([3])
    progress.recovered(3)
    progress.polled()
    progress.lag(10)

    async def ask(get: Get) -> None:
        assert (await get("/readyz"))[:2] == (200, '{"ready": true, "reason": "ready"}')
        clock.advance(60)
        progress.polled()
        status, body, _ = await get("/readyz")
        assert status == 503
        assert "no progress for 60 s with a lag of 10 records" in body
        progress.advanced(10)
        assert (await get("/readyz"))[0] == 200

    serve(progress, CollectorRegistry(), ask)


def test_metrics_are_prometheus_text() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.events("orders", 5)

    async def ask(get: Get) -> None:
        status, body, content_type = await get("/metrics")
        assert status == 200
        assert 'sluice_events_total{topic="orders"} 5.0' in body
        assert "process_cpu_seconds_total" in body
        assert content_type.startswith("text/plain; version=0.0.4")

    serve(Progress(Clock()), metrics.registry, ask)


def taken_port() -> tuple[socket.socket, int]:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    return holder, holder.getsockname()[1]


def test_a_port_asked_for_and_taken_says_what_to_change() -> None:
    holder, port = taken_port()
    with holder, pytest.raises(UsageProblem, match=rf"port {port}: .*set http_host and http_port"):
        asyncio.run(HealthServer(Progress(Clock()), CollectorRegistry(), port=port).start())


def test_a_second_worker_on_one_machine_takes_another_port() -> None:
    async def run(port: int) -> int:
        async with HealthServer(Progress(Clock()), CollectorRegistry(), port=port, any_port=True) as server:
            return server.port

    holder, port = taken_port()
    with holder:
        assert asyncio.run(run(port)) not in (0, port)
