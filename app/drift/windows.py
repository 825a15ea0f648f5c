"""A sample of what a model was given and said, counted by windows of event time.

The same rows give the same reports however they were cut into steps: which are counted depends on themselves, and
where a window ends on those before. The counts live in memory alone: of a window in which a worker was restarted or
took the partition over, only what came after is judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.drift.distribution import Counts, Distribution
from app.events.stream_time import StreamTime

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_MOST_PENDING = 2_048
_NONE = -1  # number of no window


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """What is counted and when it is too much.

    Windows are of ``window_ms`` of event time; of clicks one in ``one_in`` is counted. A window of fewer than
    ``min_rows`` counted rows goes on with the next. ``max_psi`` is the index above which there is an alert.
    """

    window_ms: int = 86_400_000
    one_in: int = 16
    min_rows: int = 1_000
    max_psi: float = 0.25


DEFAULT_LIMITS: Final = DriftLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows [n] in processing order: users, times in ms, features [n, F] and scores [n]."""

    users: list[str]
    ts: Ints
    features: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A window that is over: ``end`` in ms, the ``rows`` counted, the times of the first and the last of them, and the
    index of each input and of the scores, by the ``names``."""

    end: int
    rows: int
    first_ts: int
    last_ts: int
    names: tuple[str, ...]
    psi: NDArray[np.float64]


class Windows:
    """The windows of one version of a model, one open at a time.

    Args:
        distribution: counts rows, and tells how far they are from the training or from the window before.
        limits: when a window ends.
    """

    def __init__(self, distribution: Distribution, limits: DriftLimits) -> None:
        self.distribution = distribution
        self.limits = limits
        self._time = StreamTime()
        self._number = _NONE
        self._counts = distribution.empty()
        self._before: Counts | None = None
        self._rows = self._first_ts = self._last_ts = 0
        self._pending: list[Rows] = []
        self._pending_rows = 0

    def take(self, rows: Rows) -> list[Window]:
        """Count rows in; tells the windows that they end."""
        if len(rows) == 0:
            return []
        self._pending.append(rows)
        self._pending_rows += len(rows)
        if self.may_end(rows.ts) or self._pending_rows > _MOST_PENDING:
            return self._count()
        return []

    def may_end(self, ts: Ints) -> bool:
        """Whether rows [n > 0] at these times may end the window, or begin the first."""
        numbers = {self._number, int(ts.min()) // self.limits.window_ms, int(ts.max()) // self.limits.window_ms}
        return len(numbers) > 1

    def _count(self) -> list[Window]:
        """Count what is pending, from one end of a window to the next: many rows at once cost little more than few."""
        rows, self._pending, self._pending_rows = _joined(self._pending), [], 0
        numbers = self._time.advance(rows.ts, lambda: rows.users) // self.limits.window_ms
        bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
        ended = []
        for start, stop in pairwise(bounds):
            number = int(numbers[start])
            if number != self._number and (window := self._end(number)) is not None:
                ended.append(window)
            self._add(rows, slice(start, stop))
        return ended

    def _end(self, number: int) -> Window | None:
        """Go on to window ``number``; tells the one that is over, if it has rows enough and can be judged."""
        over, self._number = self._number, number
        is_back = number < over  # the clock of the first record was wrong
        if not is_back and self._rows < self.limits.min_rows:
            return None
        found = None
        psi = None if is_back else self.distribution.judged(self._counts, self._before)
        if psi is not None:
            end = (over + 1) * self.limits.window_ms
            found = Window(end, self._rows, self._first_ts, self._last_ts, self.distribution.names, psi)
        self._before = None if is_back else self._counts
        self._counts, self._rows = self.distribution.empty(), 0
        return found

    def _add(self, rows: Rows, run: slice) -> None:
        ts = rows.ts[run]
        self._counts = self._counts + self.distribution.counts(rows.features[run], rows.scores[run])
        self._first_ts = min(self._first_ts, int(ts.min())) if self._rows else int(ts.min())
        self._last_ts = max(self._last_ts, int(ts.max())) if self._rows else int(ts.max())
        self._rows += len(ts)


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(
        [user for part in parts for user in part.users],
        np.concatenate([part.ts for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
