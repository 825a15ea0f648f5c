"""``/healthz``, ``/readyz`` and ``/metrics`` of a worker."""

import errno
from types import TracebackType
from typing import Self

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from app.cli.errors import UsageProblem
from app.ops.progress import Progress

log = structlog.get_logger(__name__)


class HealthServer:
    """A small HTTP server in the worker's own event loop: where the loop is blocked, ``/healthz`` is silent.

    Args:
        progress: decides ``/readyz``.
        registry: what ``/metrics`` shows.
        host: address to listen on.
        port: port to listen on; 0 takes any free one.
        any_port: take any free port where ``port`` is taken, as for a port that nobody asked for by number.
    """

    def __init__(
        self,
        progress: Progress,
        registry: CollectorRegistry,
        host: str = "127.0.0.1",
        port: int = 0,
        any_port: bool = False,
    ) -> None:
        self._progress = progress
        self._registry = registry
        self._host = host
        self._wanted = port
        self._any_port = any_port
        self._runner = web.AppRunner(self._routes(), access_log=None)
        self.port = 0

    async def start(self) -> None:
        """Listen; ``port`` then names the port that was bound.

        Raises:
            UsageProblem: the port is taken, or the address is not this machine's.
        """
        await self._runner.setup()
        try:
            await self._listen()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageProblem(
                f"health and metrics cannot listen on {self._host} port {self._wanted}: {error.strerror}; "
                "set http_host and http_port (0 takes any free port)"
            ) from None
        self.port = self._runner.addresses[0][1]
        log.info("health and metrics", address=f"http://{self._host}:{self.port}")

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _listen(self) -> None:
        try:
            await web.TCPSite(self._runner, self._host, self._wanted).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not self._any_port:
                raise
            log.warning("the port of health and metrics is taken; a free one serves", port=self._wanted)
            await web.TCPSite(self._runner, self._host, 0).start()

    def _routes(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        return application

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        verdict = self._progress.verdict()
        body = {"ready": verdict.ready, "reason": verdict.reason}
        return web.json_response(body, status=200 if verdict.ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
