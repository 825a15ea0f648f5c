"""Whether the group still counts on a consumer, as far as the consumer can know by itself.

A member that has not been heard for a session is out, and is not told: a process that slept (SIGSTOP, a paused
machine) wakes up and goes on. So a heartbeat that was answered counts as a lease from the moment it was sent.
"""

import time
from collections.abc import Callable

from aiokafka.consumer.group_coordinator import GroupCoordinator


class Membership:
    """The lease of one consumer.

    Args:
        session_s: the session timeout.
        clock: seconds, monotonic; it goes on while the process sleeps.
    """

    def __init__(self, session_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._session_s = session_s
        self._clock = clock
        self._confirmed = -session_s

    def __bool__(self) -> bool:
        """Whether the broker has heard of the consumer within the session."""
        return self._clock() - self._confirmed < self._session_s

    def confirm(self) -> None:
        """The group has just been joined."""
        self._confirmed = self._clock()

    def watch(self, coordinator: GroupCoordinator) -> None:
        """Renew the lease with each heartbeat of a consumer's coordinator."""
        beat = coordinator._do_heartbeat

        async def timed() -> bool:
            sent = self._clock()
            answered: bool = await beat()
            if answered:
                self._confirmed = sent
            return answered

        coordinator._do_heartbeat = timed
