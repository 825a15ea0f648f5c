"""What happens to a step once it is computed: the contract of both guarantees."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.kafka.fetched import Partition
from app.pipeline import Work
from app.state.held import Work as Tenure


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds on a monotonic clock, and ms since the epoch."""

    monotonic: Callable[[], float]
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A computed step: by partition the local work that it belongs to, and the group's generation it was read in."""

    work: Work
    tenures: dict[int, Tenure]
    generation: int | None
    computing: float  # seconds it took
    computed_at: float


class Offsets(Protocol):
    """What the worker's consumer knows of its partitions; see ``app.kafka.consumer.Consumer``."""

    def lag(self, tp: Partition, received: int | None = None) -> int | None:
        """Records the broker has and the application has not."""
        ...

    def mark_durable(self, tp: Partition, next_offset: int, generation: int | None) -> None:
        """Inputs below ``next_offset`` are in the state that is committed, and what they led to is out."""
        ...


class Delivery(Protocol):
    """Makes steps durable, in their order."""

    on_change: Callable[[], None]
    """Called when a step has become durable or has failed."""

    async def room(self) -> None:
        """Until another step may be handed over.

        Raises:
            Exception: why the worker cannot go on.
        """
        ...

    async def deliver(self, step: Step) -> None:
        """Take a step over; it becomes durable later."""
        ...

    async def drain(self) -> None:
        """Until everything handed over is durable, or has failed."""
        ...
