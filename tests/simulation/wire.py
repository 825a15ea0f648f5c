"""Between clients and broker: requests that have not taken effect yet, and answers that have not arrived."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, RequestTimedOutError

from tests.simulation.loop import SimulatedLoop


@dataclass(eq=False)
class Client:
    """A process as the broker knows it: when it has died, nobody hears the answers.

    ``broken`` are its lanes in which a request was lost, so that the broker takes none that comes later.
    """

    name: str
    loop: SimulatedLoop
    alive: bool = True
    broken: set[Hashable] = field(default_factory=set)


@dataclass(eq=False)
class Request:
    """Something asked of the broker. Requests of one client's lane take effect in their order, all others in any."""

    client: Client
    what: str
    lane: Hashable
    effect: Callable[[], Any]
    future: "asyncio.Future[Any]"
    as_error: Callable[[KafkaError], Exception] = lambda error: error
    breaks: bool = False
    is_done: bool = False
    result: Any = None
    error: KafkaError | None = None

    @property
    def is_reading(self) -> bool:
        """Whether it changes nothing, so that a client asks again by itself until it hears."""
        return self.what.startswith("read ")

    def take_effect(self) -> None:
        """Have it done, or refused."""
        if self.lane in self.client.broken:
            self.refuse(KafkaTimeoutError(f"{self.what}: one before it was lost"))
            return
        self.is_done = True
        try:
            self.result = self.effect()
        except KafkaError as error:
            self.error = error

    def refuse(self, error: KafkaError) -> None:
        """Have it never done."""
        self.is_done = True
        if self.breaks:
            self.client.broken.add(self.lane)
        self.error = error

    def lose_answer(self, error: KafkaError) -> None:
        """Have it done without the client being told so."""
        self.error = error

    def give_up(self) -> None:
        """The client waits no longer, while the request is still on its way."""
        if self.client.alive and not self.future.done():
            self.future.set_exception(self.as_error(RequestTimedOutError()))

    def answer(self) -> None:
        """Tell the client, if it is there and still waits."""
        if not self.client.alive or self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.as_error(self.error))


@dataclass(eq=False)
class Wire:
    """All requests of all clients that are still to be done or answered, oldest first."""

    requests: list[Request] = field(default_factory=list)

    def ask(
        self,
        client: Client,
        what: str,
        effect: Callable[[], Any],
        lane: Hashable = None,
        as_error: Callable[[KafkaError], Exception] = lambda error: error,
        breaks: bool = False,
    ) -> "asyncio.Future[Any]":
        """Send a request; the answer comes when the world lets it.

        Args:
            what: in words, for the trace of a run.
            effect: done at the broker; may raise what the broker refuses it with.
            lane: None for a request that keeps no order.
            as_error: what the client makes of an error.
            breaks: whether nothing of the lane arrives once a request of it was lost.
        """
        future: asyncio.Future[Any] = client.loop.create_future()
        if not client.alive:
            future.set_exception(KafkaConnectionError("the process is dead"))
            return future
        request = Request(client, what, lane, effect, future, as_error, breaks)
        self.requests.append(request)
        return future

    def next_ones(self) -> list[Request]:
        """Those that may be done or answered next."""
        blocked: set[tuple[int, Hashable]] = set()
        found = []
        for request in self.requests:
            lane = (id(request.client), request.lane)
            if request.is_done or request.lane is None:
                found.append(request)
            elif lane not in blocked:
                blocked.add(lane)
                found.append(request)
        return found
