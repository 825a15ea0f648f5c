"""Where the pipeline's orders wait: alignment hands them out with what they were told, or not yet."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.events.align import Aligned, Aligner, Lag
from app.fanout.joiner import Joiners
from app.velocity.definitions import Velocity
from app.velocity.records import Ints
from schemas.topics import ORDERS


class Gate:
    """Of all partitions of a process. Where nobody looks at a velocity it is open.

    ``velocities`` may be replaced between two steps. Orders that were asked about before know nothing of new ones: they
    are partial.

    Args:
        joiners: where orders meet their answers.
        velocities: what is looked at.
    """

    def __init__(self, joiners: Joiners, velocities: Sequence[Velocity] = ()) -> None:
        self.joiners = joiners
        self.velocities = tuple(velocities)

    def take(self, aligner: Aligner, lag: Lag, now: float, limit: int) -> Aligned | None:
        """See `Aligner.take`; an order that waits for answers holds back what comes after it."""
        if not self.velocities:
            return aligner.take(lag, now, limit)
        joiner = self.joiners.of(aligner.partition)
        ready = joiner.ready(aligner.next_offsets(ORDERS, limit), now, lag(ORDERS) == 0)
        piece = aligner.take(lag, now, limit, {ORDERS: ready})
        if piece is None or not len(offsets := _orders(piece)):
            return piece
        return replace(piece, joined=joiner.take(offsets, self.velocities))

    def wait(self, aligner: Aligner, lag: Lag, now: float) -> float | None:
        """See `Aligner.wait`; None also where only answers can move what waits."""
        wait = aligner.wait(lag, now)
        if wait != 0 or not self.velocities:
            return wait
        joiner, first = self.joiners.of(aligner.partition), aligner.next_offsets(ORDERS, 1)
        if len(first) and not joiner.ready(first, now, lag(ORDERS) == 0):
            return joiner.wait(int(first[0]), now)
        return wait

    def again(self) -> None:
        """All records that wait are forgotten, to come again."""
        self.joiners.again()


def _orders(piece: Aligned) -> Ints:
    """The offsets of a piece's orders."""
    parts = [part.decoded.offsets[part.start : part.stop] for part in piece.slices if part.decoded.topic == ORDERS]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
