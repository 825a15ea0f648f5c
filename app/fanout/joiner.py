"""Orders that wait for their answers: each goes on in its turn, complete, or with what is there at its deadline."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.fanout.asker import Asked
from app.fanout.messages import AnswerBatch

_MOST_EARLY = 65_536
"""Orders whose answers came before they did, as after a restart; beyond it the oldest are forgotten."""


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """An order's velocities, by the offset of its record; ``partial`` where the deadline came before an answer."""

    offset: int
    values: NDArray[np.float64]
    partial: bool


@dataclass(eq=False)
class _Answers:
    """What is known of one order. The first answer of an owner counts; a repeated one says the same."""

    values: dict[int, NDArray[np.float64]] = field(default_factory=dict)  # by owner
    own: NDArray[np.float64] | None = None
    owners: int = 0
    since: float = 0.0

    @property
    def complete(self) -> bool:
        return len(self.values) >= self.owners

    def joined(self, offset: int) -> Joined:
        assert self.own is not None
        found = self.own.copy()
        for values in self.values.values():
            given = ~np.isnan(values)
            found[given] = values[given]
        return Joined(offset, found, not self.complete)


class Joiner:
    """One partition's.

    Args:
        deadline: seconds an order waits for its answers at most, while its input has been read to the end; in a backlog
            they are on their way, however long it takes. None: always without limit.
    """

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.partial = 0
        self._turns: deque[int] = deque()
        self._orders: dict[int, _Answers] = {}
        self._next = 0  # offsets below are through
        self._live_since: float | None = None

    @property
    def waiting(self) -> int:
        """Orders that have not gone on."""
        return len(self._turns)

    def expect(self, asked: Asked, now: float) -> None:
        """Let orders wait from ``now`` on; their user's velocities are known already."""
        for offset, values, owners in zip(asked.offsets.tolist(), asked.values, asked.owners.tolist(), strict=True):
            order = self._orders.setdefault(offset, _Answers())
            order.own, order.owners, order.since = values, owners, now
            self._turns.append(offset)

    def receive(self, answers: AnswerBatch) -> None:
        """Take answers in; those to orders that are through are too late."""
        for offset, values in zip(answers.offsets.tolist(), answers.values, strict=True):
            if offset >= self._next:
                self._orders.setdefault(offset, _Answers()).values.setdefault(answers.owner, values)
        while len(self._orders) - len(self._turns) > _MOST_EARLY:
            del self._orders[next(offset for offset, order in self._orders.items() if order.own is None)]

    def take(self, now: float, is_live: bool) -> list[Joined]:
        """The orders that go on now, in their turns; ``is_live`` if their input has been read to the end."""
        if not is_live or self._live_since is None:
            self._live_since = now if is_live else None
        found = []
        while self._turns:
            order = self._orders[self._turns[0]]
            if not order.complete and not self._is_over(order, now):
                break
            offset = self._turns.popleft()
            found.append(self._orders.pop(offset).joined(offset))
            self.partial += found[-1].partial
            self._next = offset + 1
        return found

    def _is_over(self, order: _Answers, now: float) -> bool:
        if self.deadline is None or self._live_since is None:
            return False
        return now - max(order.since, self._live_since) >= self.deadline
