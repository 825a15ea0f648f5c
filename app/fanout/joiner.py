"""Where orders meet their answers: by partition, and in it by the offset of the order's record.

The fan-out puts in what it has asked and what comes back; the pipeline looks whether its next orders may go, and takes
what is known of them. Both run in one event loop, and neither waits for the other but through this.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.fanout.messages import AnswerBatch, Asked, Ids
from app.velocity.definitions import Velocity
from app.velocity.joined import Joined
from app.velocity.records import Ints

_MOST_EARLY = 65_536
"""Orders whose answers came before they did, as after a restart; beyond it the oldest are forgotten."""


@dataclass(eq=False)
class _Order:
    """What is known of one order. The first answer of an owner counts; a repeated one says the same.

    ``owners`` are those that will answer, ``answered`` those that have: a bit for each.
    """

    own: tuple[Ids, NDArray[np.float64]] | None = None
    wanted: Ids = ()
    owners: int = 0
    answered: int = 0
    repeated: bool = False
    answers: list[tuple[Ids, NDArray[np.float64]]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.own is not None and not self.owners & ~self.answered

    @property
    def parts(self) -> Iterator[tuple[Ids, NDArray[np.float64]]]:
        if self.own is not None:
            yield self.own
        yield from self.answers


_NOTHING = _Order()


class Joiner:
    """One partition's.

    Args:
        deadline: seconds an order waits for its answers at most, while its input has been read to the end; in a backlog
            they are on their way, however long it takes. None: always without limit.
    """

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.asked_to = 0
        """Orders before this offset have been asked about, or never will be: they wait for answers at the most."""
        self._orders: dict[int, _Order] = {}
        self._asked = 0  # orders that were asked about and are not through
        self._next = 0  # offsets below are through
        self._arrivals: deque[tuple[int, float]] = deque()  # orders up to an offset came to the pipeline at a time
        self._live_since: float | None = None

    @property
    def decided(self) -> int:
        """Orders before this offset are through."""
        return self._next

    @property
    def waiting(self) -> int:
        """Orders that were asked about and have not gone on."""
        return self._asked

    def expect(self, asked: Asked) -> None:
        """Take in what was asked; the velocities of users are known already. Orders that are through are left out."""
        columns = (asked.offsets.tolist(), asked.values, _bits(asked.owners), asked.repeated.tolist())
        for offset, values, owners, repeated in zip(*columns, strict=True):
            if offset >= self._next:
                order = self._orders.setdefault(offset, _Order())
                self._asked += order.own is None
                order.own, order.wanted = (asked.own, values), asked.wanted
                order.owners, order.repeated = owners, repeated
        self.asked_to = max(self.asked_to, asked.next_offset)

    def receive(self, answers: AnswerBatch) -> bool:
        """Take answers in; those to orders that are through are too late. Tells whether any says something new."""
        is_new = False
        for offset, values, owners in zip(answers.offsets.tolist(), answers.values, _bits(answers.owners), strict=True):
            if offset >= self._next:
                order = self._orders.setdefault(offset, _Order())
                if owners & ~order.answered:
                    order.answered |= owners
                    order.answers.append((answers.velocities, values))
                    is_new = True
        while len(self._orders) - self._asked > _MOST_EARLY:
            del self._orders[next(offset for offset, order in self._orders.items() if order.own is None)]
        return is_new

    def ready(self, offsets: Ints, now: float, is_live: bool, recent: NDArray[np.bool_] | None = None) -> int:
        """How many of the pipeline's next orders [n] may go at ``now``.

        Args:
            offsets: of the orders [n].
            now: seconds on a monotonic clock.
            is_live: whether the pipeline has read orders to the end.
            recent: which of them [n] are of now; the others were there before, and have no deadline. None: all are.
        """
        self._arrive(offsets, now)
        if not is_live or self._live_since is None:
            self._live_since = now if is_live else None
        over = self._over(now)
        has_deadline = [True] * len(offsets) if recent is None else recent.tolist()
        for place, (offset, is_recent) in enumerate(zip(offsets.tolist(), has_deadline, strict=True)):
            if not (is_recent and offset < over) and self._is_awaited(offset):
                return place
        return len(offsets)

    def wait(self, offset: int, now: float) -> float | None:
        """Seconds until the deadline of the order of an offset that was looked at; None where it has none."""
        if self.deadline is None or self._live_since is None:
            return None
        came = next((came for last, came in self._arrivals if offset <= last), now)
        return max(0.0, max(came, self._live_since) + self.deadline - now)

    def take(self, offsets: Ints, velocities: Sequence[Velocity]) -> Joined:
        """What is known of the orders [n] that go on, of these velocities."""
        wanted = tuple(velocity.id for velocity in velocities)
        orders = [self._orders.get(offset, _NOTHING) for offset in offsets.tolist()]
        parts: dict[Ids, list[tuple[int, NDArray[np.float64]]]] = {}
        for row, order in enumerate(orders):
            for ids, found in order.parts:
                parts.setdefault(ids, []).append((row, found))
        values = np.full((len(orders), len(wanted)), np.nan)
        for ids, told in parts.items():
            _enter(values, wanted, ids, told)
        partial = [not order.complete or not _is_told(order, wanted) for order in orders]
        repeated = np.array([order.repeated for order in orders], np.bool_)
        return Joined(tuple(velocity.name for velocity in velocities), values, np.array(partial, np.bool_), repeated)

    def again(self) -> None:
        """The pipeline has forgotten the orders that came and are not through: they will come again."""
        self._arrivals.clear()
        self._live_since = None

    def through(self, next_offset: int) -> None:
        """Orders before this offset are decided for good: forget them."""
        while self._arrivals and self._arrivals[0][0] < next_offset:
            self._arrivals.popleft()
        gone = range(self._next, next_offset)
        for offset in gone if len(gone) < len(self._orders) else [each for each in self._orders if each in gone]:
            order = self._orders.pop(offset, _NOTHING)
            self._asked -= order.own is not None
        self._next = max(self._next, next_offset)

    def _is_awaited(self, offset: int) -> bool:
        """Whether something more will be told of the order."""
        order = self._orders.get(offset, _NOTHING)
        return not order.complete and (order.own is not None or offset >= self.asked_to)

    def _arrive(self, offsets: Ints, now: float) -> None:
        last = self._arrivals[-1][0] if self._arrivals else self._next - 1
        if len(offsets) and offsets[-1] > last:
            self._arrivals.append((int(offsets[-1]), now))

    def _over(self, now: float) -> int:
        """The offset up to which orders have waited long enough."""
        over = 0
        if self.deadline is not None and self._live_since is not None and now - self._live_since >= self.deadline:
            for offset, came in self._arrivals:
                if now - came < self.deadline:
                    break
                over = offset + 1
        return over


def _enter(values: NDArray[np.float64], velocities: Ids, ids: Ids, told: list[tuple[int, NDArray[np.float64]]]) -> None:
    """Put what was told of orders, by their rows, into ``values`` [n, velocities]; NaN is another owner's to tell."""
    wanted = [(place, ids.index(each)) for place, each in enumerate(velocities) if each in ids]
    if not wanted:
        return
    places, sources = np.array(wanted).T
    rows, found = np.array([row for row, _ in told]), np.array([found for _, found in told])[:, sources]
    at, column = np.nonzero(~np.isnan(found))
    values[rows[at], places[column]] = found[at, column]


def _is_told(order: _Order, velocities: Ids) -> bool:
    """Whether all that is looked at was asked for, and answered by those who were asked."""
    own = order.own[0] if order.own is not None else ()
    if not {*velocities} <= {*own, *order.wanted}:
        return False
    others = {*velocities} - {*own}
    return all(others <= {*ids} for ids, _ in order.answers)


def _bits(owners: NDArray[np.bool_]) -> list[int]:
    """By order [n] the owners [n, partitions] as the bits of a number."""
    packed = np.packbits(owners, axis=1)
    value, width = packed.tobytes(), packed.shape[1]
    return [int.from_bytes(value[at : at + width]) for at in range(0, len(value), width)]


class Joiners:
    """Those of all partitions of a process, made when they are first asked for.

    Args:
        deadline: see `Joiner`.
    """

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline
        self._joiners: dict[int, Joiner] = {}

    def of(self, partition: int) -> Joiner:
        """That of a partition."""
        if partition not in self._joiners:
            self._joiners[partition] = Joiner(self._deadline)
        return self._joiners[partition]

    def again(self) -> None:
        """See `Joiner.again`, of all partitions."""
        for joiner in self._joiners.values():
            joiner.again()

    def forget(self, partition: int) -> None:
        """A partition is over, or begins anew: nothing of it waits any more."""
        self._joiners.pop(partition, None)
