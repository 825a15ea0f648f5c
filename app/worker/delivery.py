"""What happens to a step once it is computed: the contract of both guarantees."""

from collections.abc import Callable, Mapping
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
        """Inputs below ``next_offset`` may be committed."""
        ...

    def mark_committed(self, offsets: Mapping[Partition, int], generation: int | None) -> None:
        """Inputs below these next offsets were committed, in one transaction with what they led to."""
        ...


class Group(Protocol):
    """What the worker's consumer knows of its consumer group."""

    def is_member(self) -> bool:
        """Whether the group still counts on this worker, as far as it can know."""
        ...

    def rejoin(self) -> None:
        """Have all partitions revoked and assigned again."""
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
