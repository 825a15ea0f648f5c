"""The velocities of a worker: which partitions its fan-out has, what it asks for, and what wakes the pipeline."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from mode import Service

from app.state.applied import Applied
from app.state.held import TakeOver
from app.velocity.definitions import Velocity
from schemas.topics import ORDERS


class Runs(Protocol):
    """What is run: see `FanOut`."""

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Ask for these from now on."""
        ...

    async def run(self) -> None:
        """Go on until cancelled."""
        ...


class Partitions(Protocol):
    """What is told of them: see `FanOut`."""

    def assign(self, committed: Mapping[int, int]) -> None:
        """Partitions have come, each with the offset of the first order that is not decided yet."""
        ...

    def revoke(self, partitions: Collection[int]) -> None:
        """Partitions have gone."""
        ...


class FanOutHolding:
    """Tells the fan-out which partitions this worker holds, as they are taken over and given up.

    Args:
        fan_out: of the worker.
        applied: of the partitions that were read back, what their state includes.
        take_over: is told of all this next.
    """

    def __init__(self, fan_out: Partitions, applied: Mapping[int, Applied], take_over: TakeOver) -> None:
        self._fan_out = fan_out
        self._applied = applied
        self._next = take_over
        self._assigned: set[int] = set()

    async def take_over(self, held: Collection[int], new: Collection[int]) -> None:
        """See `HeldPartitions.take_over`; what is neither held nor new is given up."""
        gone = self._assigned - {*held} - {*new}
        self._assigned -= gone
        if gone:
            self._fan_out.revoke(gone)
        await self._next(held, new)

    def recovered(self, partitions: Collection[int]) -> None:
        """The state of partitions was read back: what it does not include is decided now."""
        self._assigned |= {*partitions}
        self._fan_out.assign({number: self._first_order(number) for number in partitions})

    def _first_order(self, partition: int) -> int:
        applied = self._applied.get(partition)
        return applied.by_topic()[ORDERS] if applied else 0


class VelocityService(Service):  # type: ignore[misc]
    """Runs the fan-out beside the app, from when a rule or a model looks at a velocity for the first time.

    Until then nothing is asked and nobody remembers anything of entities. Then it reads the orders and labels that
    their topics still have: what was before is known to that rule or model too.

    Args:
        fan_out: of the worker.
        velocities: that are looked at from the start.
    """

    def __init__(self, fan_out: Runs, velocities: Sequence[Velocity], **options: object) -> None:
        super().__init__(**options)
        self._fan_out = fan_out
        self._wanted = asyncio.Event()
        self.use(velocities)

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Ask for these from now on."""
        self._fan_out.use(velocities)
        if velocities:
            self._wanted.set()

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        await self._wanted.wait()
        await self._fan_out.run()
