"""The fan-out over Kafka, for the partitions that a worker has: they come and go with the group's assignment.

Nothing is committed: what is written follows from the inputs, and the topic of the asks says how far it has come. A
partition that comes is taken over and brought back while the others go on, see `app.fanout.takeover`. Whatever the
broker does, the service waits and begins anew from what the topic has. It ends by itself only where the broker refuses
the topics: then orders would wait for answers that never come.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from app.fanout import snapshot
from app.fanout.clients import Clients, Topics, ensure_topics
from app.fanout.exchange import Exchange
from app.fanout.joiner import Joiners
from app.fanout.partition import MAX_VALUE_BYTES
from app.fanout.parts import FanOutParts
from app.fanout.recovery import taken_down
from app.fanout.takeover import Takeover, Taking
from app.kafka.topics import TopicError, TopicRefused
from app.ops.metrics import Metrics
from app.velocity.definitions import Velocity
from app.velocity.entities import ENTITIES, USER

_LOOK_FOR_PARTITIONS_S = 0.01
_BEGIN_AGAIN_S = 1.0
_LOOK_EVERY_S = 1.0
_MOST_PAUSE_S = 0.01
"""A turn costs much the same for one order as for 50: others have the event loop for as long as it took, or so long,
and the next turn has more to do."""
_SNAPSHOT_EVERY_S = 300.0

_HOPELESS = (
    TopicRefused,
    TopicAuthorizationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
)

log = structlog.get_logger(__name__)

OnJoined = Callable[[Collection[int]], None]
"""Told the partitions of which something was asked or answered."""


class VelocitiesRefused(Exception):
    """The broker refuses the topics of the fan-out, and asking again does not help."""

    def __init__(self, topics: Topics, reason: Exception) -> None:
        super().__init__(
            f"velocities cannot be computed, the broker refuses topic {topics.asks} or {topics.answers} "
            f"({str(reason) or type(reason).__name__}): let this worker create, describe, read and write both, or use "
            "rules and models that name no velocity"
        )


@dataclass(frozen=True, slots=True)
class FanOutOptions:
    """What a worker's fan-out is: ``partitions`` of all topics, the ``group`` whose topics it uses, the ``folder`` of
    its snapshots, and ``value_bytes``, see `MAX_VALUE_BYTES`."""

    broker: str
    group: str
    partitions: int
    folder: Path
    value_bytes: int = MAX_VALUE_BYTES


class FanOut:
    """Runs the parts of the assigned partitions in this process.

    Args:
        options: of this worker.
        velocities: what can be wanted, and is at first.
        joiners: where orders meet their answers.
        on_joined: told of what has come to them.
        metrics: told of what is asked and answered.
    """

    def __init__(
        self,
        options: FanOutOptions,
        velocities: Sequence[Velocity],
        joiners: Joiners,
        on_joined: OnJoined,
        metrics: Metrics,
    ) -> None:
        self._options, self._joiners, self._on_joined, self._metrics = options, joiners, on_joined, metrics
        self._velocities = tuple(velocities)
        self._used = self._velocities
        self._topics = Topics(options.group)
        self._assigned: dict[int, int] = {}
        self._revoked: set[int] = set()
        self._begin_empty()

    def assign(self, committed: Mapping[int, int]) -> None:
        """Partitions have come, each with the offset of the first order that is not decided yet."""
        self._assigned |= committed

    def revoke(self, partitions: Collection[int]) -> None:
        """Partitions have gone."""
        for number in partitions:
            self._assigned.pop(number, None)
        self._revoked |= {*partitions}

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Ask for these from now on, of those that can be wanted."""
        self._used = tuple(velocities)
        self.parts.use(self._used)

    async def run(self) -> None:
        """Go on until cancelled. What is known is then put into snapshots.

        Raises:
            VelocitiesRefused: the broker has the topics otherwise, or this worker no right to them.
        """
        while True:
            try:
                await ensure_topics(self._options.broker, self._topics, self._options.partitions)
                async with Clients.running(self._options.broker) as clients:
                    await self._serve(clients)
            except _HOPELESS as error:
                raise VelocitiesRefused(self._topics, error) from error
            except (KafkaError, TopicError, OSError, TimeoutError) as error:
                log.warning("velocities begin anew: the broker failed them", reason=repr(error))
                self._metrics.velocity_restarted()
                self._begin_empty()
            await asyncio.sleep(_BEGIN_AGAIN_S)

    def _begin_empty(self) -> None:
        options = self._options
        self.parts = FanOutParts(
            (), options.partitions, self._velocities, self._joiners, value_bytes=options.value_bytes
        )
        self.parts.use(self._used)
        self._takeovers: dict[int, asyncio.Task[Takeover]] = {}
        self._snapshot_at: dict[int, float] = {}
        self._counted = (0, 0, 0)
        self._looked_at = 0.0

    async def _serve(self, clients: Clients) -> None:
        taking = Taking(clients, self._topics, self.parts, self._options.folder, self._metrics)
        exchange = Exchange(clients, self._topics, self.parts, self._metrics)
        try:
            while True:
                await self._rearrange(taking, exchange)
                if self.parts.partitions:
                    if changed := await exchange.turn():
                        self._on_joined(changed)
                        await asyncio.sleep(min(exchange.spent, _MOST_PAUSE_S))
                else:
                    await asyncio.sleep(_LOOK_FOR_PARTITIONS_S)
                await self._look(exchange)
        except asyncio.CancelledError:
            for number in list(self.parts.partitions):
                await self._leave(number, exchange)
            raise
        finally:
            await self._cancel(list(self._takeovers))

    async def _rearrange(self, taking: Taking, exchange: Exchange) -> None:
        """Leave what has gone, take over what has come, and begin with what is back."""
        for number in exchange.superseded & self.parts.partitions.keys():
            self._forget(number, exchange)
        exchange.superseded.clear()
        gone, self._revoked = self._revoked, set()
        for number in gone & self.parts.partitions.keys():
            await self._leave(number, exchange)
        await self._cancel(gone & self._takeovers.keys())
        for number in [number for number, task in self._takeovers.items() if task.done()]:
            await self._begin(self._takeovers.pop(number).result(), exchange)
        for number in self._assigned.keys() - self.parts.partitions.keys() - self._takeovers.keys():
            joiner = self._joiners.of(number)
            decided = max(self._assigned[number], joiner.decided)
            self._takeovers[number] = asyncio.create_task(taking.take(number, decided, joiner))

    async def _cancel(self, numbers: Collection[int]) -> None:
        tasks = [self._takeovers.pop(number) for number in numbers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for number in numbers:
            self.parts.forget(number)

    async def _begin(self, taken: Takeover, exchange: Exchange) -> None:
        number = taken.recovering.number
        again = taken.recovering.finish(taken.epoch)
        self._joiners.of(number).asked_to = taken.recovering.resume.orders
        self._snapshot_at[number] = time.monotonic()
        exchange.begin(taken.positions(self._topics))
        await exchange.deliver(again, taken.recovering.answers)
        self._on_joined([number])

    async def _leave(self, number: int, exchange: Exchange) -> None:
        """Put what is known of a partition into its snapshot, and forget it."""
        await self._take_down(number, exchange)
        self._forget(number, exchange)

    def _forget(self, number: int, exchange: Exchange) -> None:
        self.parts.stop(number)
        self.parts.forget(number)
        exchange.forget(number)

    async def _take_down(self, number: int, exchange: Exchange) -> None:
        """Write a partition's snapshot, once the topic has all that it includes."""
        await exchange.flush()
        taken = taken_down(self.parts, number, exchange.received[TopicPartition(self._topics.asks, number)])
        self._snapshot_at[number] = time.monotonic()
        try:
            await asyncio.to_thread(snapshot.write, snapshot.path(self._options.folder, number), taken)
        except OSError as error:
            log.warning("a snapshot of velocities was not written", partition=number, reason=str(error))

    async def _look(self, exchange: Exchange) -> None:
        """Tell the metrics, and write a snapshot that is due."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        parts, metrics = self.parts, self._metrics
        counted = (parts.asked, parts.answered, parts.owners.late)
        metrics.velocities(*(new - old for new, old in zip(counted, self._counted, strict=True)))
        self._counted = counted
        metrics.velocity_waiting(sum(part.joiner.waiting for part in parts.partitions.values()))
        tables = {kind: parts.owners.entities if kind != USER else parts.askers.users for kind in range(len(ENTITIES))}
        metrics.velocity_entities({ENTITIES[kind]: table.logs.sizes(kind) for kind, table in tables.items()})
        due = [number for number in parts.partitions if now - self._snapshot_at[number] >= _SNAPSHOT_EVERY_S]
        for number in due[:1]:
            await self._take_down(number, exchange)
