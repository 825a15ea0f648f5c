"""How long versions of a model take, compared fairly: calls of like sizes with each other."""

from collections import defaultdict, deque
from statistics import median

_KEPT = 64
_ENOUGH = 8


class Pace:
    """The latest calls of one version, by the power of two of their rows."""

    def __init__(self) -> None:
        self._seconds: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def called(self, rows: int, seconds: float) -> None:
        """A call with so many rows took so long."""
        self._seconds[rows.bit_length()].append(seconds)

    def relative_to(self, other: "Pace") -> float | None:
        """How many times as long as ``other`` it takes; None while too few calls of like sizes are known of both.

        Medians: a pause of the process says nothing about a model.
        """
        sizes = [size for size, calls in self._seconds.items() if len(calls) >= _ENOUGH]
        sizes = [size for size in sizes if len(other._seconds.get(size, ())) >= _ENOUGH]
        theirs = sum(median(other._seconds[size]) for size in sizes)
        return sum(median(self._seconds[size]) for size in sizes) / theirs if theirs > 0 else None
