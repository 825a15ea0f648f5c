"""Where the pipeline's orders wait: alignment hands them out with what they were told, or not yet."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.events.align import Aligned, Aligner, Lag
from app.fanout.joiner import Joiners
from app.velocity.definitions import Velocity
from app.velocity.records import Ints
from schemas.topics import ORDERS

RECENT_MS = 60_000
"""How long ago orders were placed, by their event time, that somebody waits for."""


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
        self._recent_from = 0

    def take(self, aligner: Aligner, lag: Lag, now: float, limit: int, now_ms: int = 0) -> Aligned | None:
        """See `Aligner.take`; an order that waits for answers holds back what comes after it.

        ``now_ms`` since the epoch tells which orders are recent: what is recorded has no deadline, however it is read.
        """
        if not self.velocities:
            return aligner.take(lag, now, limit)
        self._recent_from = now_ms - RECENT_MS
        joiner = self.joiners.of(aligner.partition)
        piece = aligner.take(lag, now, limit, {ORDERS: self._ready(aligner, lag, now, limit)})
        if piece is None or not len(offsets := _orders(piece)):
            return piece
        return replace(piece, joined=joiner.take(offsets, self.velocities))

    def wait(self, aligner: Aligner, lag: Lag, now: float) -> float | None:
        """See `Aligner.wait`; None also where only answers can move what waits."""
        wait = aligner.wait(lag, now)
        if wait != 0 or not self.velocities:
            return wait
        first, ts = aligner.next_offsets(ORDERS, 1), aligner.next_times(ORDERS, 1)
        if not len(first) or self._ready(aligner, lag, now, 1):
            return wait
        return self.joiners.of(aligner.partition).wait(int(first[0]), now) if ts[0] >= self._recent_from else None

    def _ready(self, aligner: Aligner, lag: Lag, now: float, most: int) -> int:
        """How many of the next orders may go."""
        offsets, ts = aligner.next_offsets(ORDERS, most), aligner.next_times(ORDERS, most)
        joiner = self.joiners.of(aligner.partition)
        return joiner.ready(offsets, now, lag(ORDERS) == 0, ts >= self._recent_from)

    def again(self) -> None:
        """All records that wait are forgotten, to come again."""
        self.joiners.again()


def _orders(piece: Aligned) -> Ints:
    """The offsets of a piece's orders."""
    parts = [part.decoded.offsets[part.start : part.stop] for part in piece.slices if part.decoded.topic == ORDERS]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
