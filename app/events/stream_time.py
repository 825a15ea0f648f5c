"""Event time of a stream of records: how far it has come, and which records come too late for it.

The watermark is the latest event time seen. A record dated more than ``MAX_JUMP_MS`` away from it moves nothing by
itself: only three in a row, of three different visitors, do. So one wrong clock closes nobody's session, while a
replay of another year goes through after two records. The very first record is believed until the next one: if that
is dated far before, it counts, and nothing is late for a stream that a wrong clock began.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAX_JUMP_MS = 30 * 86_400_000
_WITNESSES = 3

Users = Callable[[], Sequence[str]]
"""The visitors of the records; asked only when a jump must be judged."""


@dataclass
class StreamTime:
    """The watermark of one stream, in ms; 0 before the first record.

    ``confirmed`` is whether a record was dated near the one before, ``witnesses`` are the visitors and times of the
    latest records in a row that were dated far away.
    """

    watermark: int = 0
    confirmed: bool = False
    witnesses: list[tuple[str, int]] = field(default_factory=list)

    def advance(self, ts: NDArray[np.int64], users: Users) -> NDArray[np.int64]:
        """Move on through ``ts`` [n] in order; the watermark [n] as it stood at each record, that one included."""
        if len(ts) == 0:
            return ts
        if self.watermark == 0:
            self.watermark = int(ts[0])
            return np.concatenate((ts[:1], self.advance(ts[1:], lambda: users()[1:])))
        watermarks = np.maximum(np.maximum.accumulate(ts), self.watermark)
        if self.witnesses or self._has_jump(ts, watermarks):
            return np.array([self._advance(*pair) for pair in zip(ts.tolist(), users(), strict=True)], np.int64)
        self.watermark, self.confirmed = int(watermarks[-1]), True
        return watermarks

    def _has_jump(self, ts: NDArray[np.int64], watermarks: NDArray[np.int64]) -> bool:
        if int(watermarks[-1]) - min(int(ts.min()), self.watermark) <= MAX_JUMP_MS:
            return False  # no record can be further away than that
        before = np.concatenate(([self.watermark], watermarks[:-1]))
        return bool(np.abs(ts - before).max() > MAX_JUMP_MS)

    def _advance(self, ts: int, user: str) -> int:
        if abs(ts - self.watermark) <= MAX_JUMP_MS:
            self.witnesses.clear()
            self.watermark, self.confirmed = max(self.watermark, ts), True
        elif ts < self.watermark and not self.confirmed:
            self.watermark = ts
        else:
            self._witness(user, ts)
        return self.watermark

    def _witness(self, user: str, ts: int) -> None:
        ahead = ts > self.watermark
        if any(who == user or (when > self.watermark) != ahead for who, when in self.witnesses):
            self.witnesses.clear()
        self.witnesses.append((user, ts))
        if len(self.witnesses) == _WITNESSES:
            self.watermark = max(when for _, when in self.witnesses)
            self.witnesses.clear()
