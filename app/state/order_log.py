"""The log of a user's orders that sliding windows are computed from.

It holds each order of 30 days with its time, so windows slide exactly. It is bounded: beyond ``LOG_LENGTH`` entries the
two oldest become one, dated like the later, which only ever overstates what is almost 30 days old.
"""

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from math import lcm
from operator import mul

LOG_LENGTH = 128
WINDOW_NAMES = ("10m", "1h", "24h", "7d", "30d")
WINDOWS_MS = (600_000, 3_600_000, 86_400_000, 7 * 86_400_000, 30 * 86_400_000)
_MONTH_MS = WINDOWS_MS[-1]
_MOST = (1 << 63) - 1  # what a stored number holds


@dataclass(slots=True)
class OrderLog:
    """A user's orders of the last 30 days, oldest first: times in ms, how many, and amounts in 1e-4 major units."""

    times: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)
    _packed: bytes | None = field(default=None, init=False, compare=False, repr=False)  # while it is as it was packed

    def add(self, ts: int, amount: int) -> None:
        """Enter an order, and forget what is older than 30 days before it."""
        self._packed = None
        at = bisect_right(self.times, ts)
        self.times.insert(at, ts)
        self.counts.insert(at, 1)
        self.amounts.insert(at, amount)
        self._forget(bisect_right(self.times, ts - _MONTH_MS))
        if len(self.times) > LOG_LENGTH:
            self.counts[1] += self.counts[0]
            self.amounts[1] = min(self.amounts[1] + self.amounts[0], _MOST)
            self._forget(1)

    def _forget(self, count: int) -> None:
        if count:
            del self.times[:count], self.counts[:count], self.amounts[:count]

    def windows(self, ts: int) -> tuple[list[int], list[int]]:
        """Orders and their value in each window (ts - window, ts], shortest first."""
        stop = bisect_right(self.times, ts)
        counts, amounts, count, amount, end = [], [], 0, 0, stop
        for window in WINDOWS_MS:
            start = bisect_right(self.times, ts - window, 0, end)
            count += sum(self.counts[start:end])
            amount += sum(self.amounts[start:end])
            counts.append(count)
            amounts.append(amount)
            end = start
        return counts, amounts

    def before(self, ts: int) -> tuple[float, float, int]:
        """Mean and standard deviation (1e-4 major units) of the orders in 30 d before the one entered at ``ts``, and
        the latest's time; zeros if there are none."""
        stop = max(0, bisect_right(self.times, ts) - 1)
        start = bisect_right(self.times, ts - _MONTH_MS, 0, stop)
        count = sum(self.counts[start:stop])
        if count == 0:
            return 0.0, 0.0, 0
        counts, amounts = self.counts[start:stop], self.amounts[start:stop]
        total = sum(amounts)
        # In whole numbers until the end, so that nothing cancels: times what the sizes of merged entries divide.
        unit = lcm(*set(counts))
        squares = unit * sum(map(mul, amounts, amounts))
        if unit > 1:
            merged = [index for index, size in enumerate(counts) if size > 1]
            squares -= sum(amounts[index] ** 2 * (unit - unit // counts[index]) for index in merged)
        variance = (count * squares - unit * total * total) / (unit * count**2)
        return total / count, variance**0.5, self.times[stop - 1]

    def packed(self) -> bytes:
        """The log as 64-bit integers: times, counts, amounts."""
        if self._packed is None:
            numbers = (*self.times, *self.counts, *self.amounts)
            self._packed = struct.pack(f"<{len(numbers)}q", *numbers)
        return self._packed

    @classmethod
    def unpacked(cls, packed: bytes) -> "OrderLog":
        """The log that ``packed`` gave."""
        values = list(struct.unpack(f"<{len(packed) // 8}q", packed))
        third = len(values) // 3
        return cls(values[:third], values[third : 2 * third], values[2 * third :])
