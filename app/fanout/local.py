"""The fan-out of all partitions in this process, without a broker: what a replay and a backtest are told."""

import sys
from collections.abc import Mapping, Sequence

from app.fanout.joiner import Joiners
from app.fanout.partition import MAX_VALUE_BYTES
from app.fanout.parts import FanOutParts, TopicLag, taken_here
from app.kafka.fetched import Fetched, Partition
from app.velocity.definitions import Velocity
from app.velocity.stream import TURNS
from schemas.topics import ORDERS

_NOW_MS = 1
"""Time stands still: who has once read everything stays idle, and who has not yet said so is not."""


class LocalFanOut:
    """Asks and answers of all partitions are exchanged when `exchange` is called; there is no deadline.

    Without ``velocities`` nothing is remembered and nothing asked: what is looked at must not change then.

    Args:
        partitions: of the input topics.
        velocities: what is looked at.
        value_bytes: see `MAX_VALUE_BYTES`.
    """

    def __init__(self, partitions: int, velocities: Sequence[Velocity], value_bytes: int = MAX_VALUE_BYTES) -> None:
        self.joiners = Joiners(deadline=None)
        self._parts: FanOutParts | None = None
        if velocities:
            self._parts = FanOutParts(
                range(partitions),
                partitions,
                velocities,
                self.joiners,
                max_idle=0,
                most_waiting=sys.maxsize,
                value_bytes=value_bytes,
            )

    @property
    def is_used(self) -> bool:
        """Whether anything is looked at."""
        return self._parts is not None

    def feed(self, fetched: Fetched) -> None:
        """Take in what was fetched, of whatever topic."""
        if self._parts is not None and fetched.topic in TURNS:
            self._parts.partitions[fetched.partition].feed(fetched)

    def exchange(self, lag: TopicLag = lambda partition, topic: 0) -> None:
        """Ask about what came in and take in the answers, until there is nothing more to ask.

        Args:
            lag: of orders and labels; by default what has been fed is all there is.
        """
        if self._parts is None:
            return
        while asks := self._parts.asks(lag, 0.0):
            self._parts.hear(self._parts.answers(taken_here(asks, _NOW_MS), _NOW_MS))

    def through(self, next_offsets: Mapping[Partition, int]) -> None:
        """What lies before these offsets is decided."""
        for (topic, partition), offset in next_offsets.items():
            if topic == ORDERS:
                self.joiners.of(partition).through(offset)
