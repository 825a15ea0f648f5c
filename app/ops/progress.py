"""Whether a worker gets anywhere: what readiness and the watchdog ask, whatever the process looks like."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the worker does its work now, and why not."""

    ready: bool
    reason: str


class Progress:
    """What the worker reports about its own work; times are seconds of ``clock``, which must not go back.

    With lag, silence since the later of the last progress and the moment the lag was seen counts as standing
    still; without lag a worker that polls has nothing to do and is fine.

    Args:
        clock: seconds, monotonic.
        limit_s: silence with lag after which the worker is not ready.
        contact_s: time without an answer from the broker after which the worker is not ready.
    """

    def __init__(self, clock: Callable[[], float], limit_s: float = 60.0, contact_s: float = 30.0) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._contact_s = contact_s
        self._assigned: frozenset[int] = frozenset()
        self._recovered: set[int] = set()
        self._recovering: dict[int, float] = {}
        self._lag = 0
        self._moved = clock()
        self._polled: float | None = None

    def assigned(self, partitions: Iterable[int]) -> None:
        """These, and only these, are the worker's partitions; new ones are to be recovered first."""
        self._assigned = frozenset(partitions)
        self._recovered &= self._assigned
        self._recovering = {p: at for p, at in self._recovering.items() if p in self._assigned}
        if not self._assigned:
            self._lag = 0

    def recovering(self, partition: int) -> None:
        """State of the partition is being rebuilt; call again with each batch of its changelog."""
        self._recovered.discard(partition)
        self._recovering[partition] = self._clock()

    def recovered(self, partition: int) -> None:
        """State of the partition is as the changelog says."""
        self._recovering.pop(partition, None)
        self._recovered.add(partition)
        self._moved = self._clock()

    def polled(self) -> None:
        """A fetch was answered, with or without records."""
        self._polled = self._clock()

    def advanced(self, events: int) -> None:
        """So many input records became durable and were committed; none is no progress."""
        if events > 0:
            self._moved = self._clock()

    def lag(self, total: int) -> None:
        """Records between the committed and the end offsets of all assigned partitions."""
        if total > 0 and self._lag == 0:
            self._moved = self._clock()
        self._lag = max(total, 0)

    def verdict(self) -> Readiness:
        """Ready when partitions are assigned and recovered, the broker answers, and lag shrinks."""
        reason = self._not_serving() or self._out_of_contact() or self.stalled(self._limit_s)
        return Readiness(ready=reason is None, reason=reason or "ready")

    def stalled(self, limit_s: float) -> str | None:
        """Why the worker should end: lag, or a recovery, that has not moved for ``limit_s``; else None."""
        now = self._clock()
        stuck = sorted(p for p, at in self._recovering.items() if now - at >= limit_s)
        if stuck:
            return f"recovery of {_partitions(stuck)} has not moved for {limit_s:g} s"
        silent = now - self._moved
        if self._lag > 0 and not self._recovering and silent >= limit_s:
            return f"no progress for {silent:.0f} s with a lag of {self._lag} records"
        return None

    def _not_serving(self) -> str | None:
        if not self._assigned:
            return "no partitions are assigned"
        missing = sorted(self._assigned - self._recovered)
        return f"{_partitions(missing)} not recovered yet" if missing else None

    def _out_of_contact(self) -> str | None:
        if self._polled is None:
            return "no fetch was answered yet"
        silent = self._clock() - self._polled
        return f"the broker has not answered a fetch for {silent:.0f} s" if silent >= self._contact_s else None


def _partitions(numbers: list[int]) -> str:
    return f"partition{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
