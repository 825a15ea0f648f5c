"""Event time of a partition: how far it has come, and which records come too late for it.

The watermark is the latest event time seen. A record dated more than ``MAX_JUMP_MS`` away from it moves nothing by
itself: only three in a row, of three different visitors, do. So one wrong clock closes nobody's session, while a
replay of another year goes through after two records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAX_JUMP_MS = 30 * 86_400_000
_WITNESSES = 3


@dataclass
class StreamTime:
    """The watermark of one partition, in ms; 0 before the first record.

    ``witnesses`` are the visitors and times of the latest records in a row that were dated far away.
    """

    watermark: int = 0
    witnesses: list[tuple[str, int]] = field(default_factory=list)

    def advance(self, ts: NDArray[np.int64], users: Callable[[], Sequence[str]], grace_ms: int) -> NDArray[np.bool_]:
        """Move on through ``ts`` [n] in order; tells which records are late.

        A record is late if it is dated more than ``grace_ms`` before the watermark as it stood at that record,
        whatever came with it in one fetch. ``users`` tells whose they are; it is asked only when a jump must be judged.
        """
        if len(ts) == 0:
            return np.zeros(0, np.bool_)
        if self.watermark == 0:
            self.watermark = int(ts[0])
        if self.witnesses or np.abs(ts - self.watermark).max() > MAX_JUMP_MS:
            return self._one_by_one(ts.tolist(), users(), grace_ms)
        watermarks = np.maximum(np.maximum.accumulate(ts), self.watermark)
        self.watermark = int(watermarks[-1])
        return np.asarray(ts < watermarks - grace_ms)

    def _one_by_one(self, ts: list[int], users: Sequence[str], grace_ms: int) -> NDArray[np.bool_]:
        late = np.zeros(len(ts), np.bool_)
        for index, (time, user) in enumerate(zip(ts, users, strict=True)):
            if abs(time - self.watermark) > MAX_JUMP_MS:
                self._witness(user, time)
            else:
                self.witnesses.clear()
                self.watermark = max(self.watermark, time)
            late[index] = time < self.watermark - grace_ms
        return late

    def _witness(self, user: str, time: int) -> None:
        ahead = time > self.watermark
        if any(who == user or (when > self.watermark) != ahead for who, when in self.witnesses):
            self.witnesses.clear()
        self.witnesses.append((user, time))
        if len(self.witnesses) == _WITNESSES:
            self.watermark = max(when for _, when in self.witnesses)
            self.witnesses.clear()
