"""A lease from heartbeat to heartbeat."""

import asyncio

from app.kafka.membership import Membership


class Coordinator:
    """Answers a heartbeat after some time."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.takes, self.answers = 0.0, True

    async def _do_heartbeat(self) -> bool:
        self.clock[0] += self.takes
        return self.answers


def test_an_answered_heartbeat_counts_for_a_session_from_when_it_was_sent() -> None:
    clock = [0.0]
    membership, coordinator = Membership(6.0, lambda: clock[0]), Coordinator(clock)
    membership.watch(coordinator)
    assert not membership
    membership.confirm()
    assert membership
    clock[0], coordinator.takes = 10.0, 2.0
    assert not membership
    assert asyncio.run(coordinator._do_heartbeat())
    assert membership
    clock[0] = 15.9
    assert membership
    clock[0] = 16.0
    assert not membership


def test_a_heartbeat_that_is_refused_renews_nothing() -> None:
    clock = [10.0]
    membership, coordinator = Membership(6.0, lambda: clock[0]), Coordinator(clock)
    membership.watch(coordinator)
    coordinator.answers = False
    assert not asyncio.run(coordinator._do_heartbeat())
    assert not membership
