"""The fan-out runs once a velocity is looked at, and has the partitions that the worker holds, from the first order
that their state does not include."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from app.state.applied import TOPIC_INDEX, Applied
from app.velocity.catalogue import BY_NAME
from app.velocity.definitions import Velocity
from app.worker.velocities import FanOutHolding, VelocityService
from schemas.topics import ORDERS


class Partitions:
    """What a fan-out was told."""

    def __init__(self) -> None:
        self.assigned: dict[int, int] = {}

    def assign(self, committed: Mapping[int, int]) -> None:
        self.assigned |= committed

    def revoke(self, partitions: Collection[int]) -> None:
        for number in partitions:
            del self.assigned[number]


class Holding:
    """A holding that was told of nothing, and what it tells others."""

    def __init__(self) -> None:
        self.fan_out, self.applied = Partitions(), dict[int, Applied]()
        self.told: list[tuple[set[int], set[int]]] = []
        self.holding = FanOutHolding(self.fan_out, self.applied, self._next)

    async def _next(self, held: Collection[int], new: Collection[int]) -> None:
        self.told.append(({*held}, {*new}))

    def recover(self, held: Collection[int], new: Collection[int]) -> None:
        asyncio.run(self.holding.take_over(held, new))
        self.holding.recovered(new)

    def keep(self, held: Collection[int]) -> None:
        asyncio.run(self.holding.take_over(held, ()))


def applied(orders: int) -> Applied:
    offsets = np.zeros(len(TOPIC_INDEX), np.int64)
    offsets[TOPIC_INDEX[ORDERS]] = orders
    return Applied(offsets)


def test_it_begins_at_the_first_order_that_the_state_does_not_include() -> None:
    worker = Holding()
    worker.applied[2] = applied(orders=17)
    worker.recover((), [1, 2])
    assert worker.fan_out.assigned == {1: 0, 2: 17}
    assert worker.told == [(set(), {1, 2})]


def test_what_is_held_stays_and_what_is_given_up_goes() -> None:
    worker = Holding()
    worker.recover((), [1, 2])
    worker.keep([2])
    assert worker.fan_out.assigned == {2: 0}
    worker.recover([2], [3])
    assert worker.fan_out.assigned == {2: 0, 3: 0}
    worker.keep([])
    assert worker.fan_out.assigned == {}


def test_a_partition_that_is_read_back_begins_where_its_state_ends_now() -> None:
    worker = Holding()
    worker.recover((), [1])
    worker.keep(())  # its transaction failed
    worker.applied[1] = applied(orders=5)
    worker.recover((), [1])
    assert worker.fan_out.assigned == {1: 5}


class Service:
    """A fan-out that says when it was begun."""

    def __init__(self) -> None:
        self.used: list[int] = []
        self.begun = asyncio.Event()

    def use(self, velocities: Sequence[Velocity]) -> None:
        self.used.append(len(velocities))

    async def run(self) -> None:
        self.begun.set()
        await asyncio.Event().wait()


def test_nobody_remembers_entities_before_somebody_looks_at_one() -> None:
    async def scenario() -> None:
        fan_out = Service()
        service = VelocityService(fan_out, [])
        async with service:
            await asyncio.sleep(0)
            assert not fan_out.begun.is_set()
            service.use([])
            await asyncio.sleep(0)
            assert not fan_out.begun.is_set()
            service.use([BY_NAME["device_users_24h"]])
            await asyncio.wait_for(fan_out.begun.wait(), 5)
            service.use([])
        assert fan_out.used == [0, 0, 1, 0]

    asyncio.run(scenario())
