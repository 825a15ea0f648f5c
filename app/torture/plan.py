"""What a run is to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.ops.settings import Guarantee
from app.torture.faults import Fault
from app.torture.memory import LEAST_MINUTES, SPARED_AFTER_S
from app.torture.workers import VICTIM

PARTITIONS, WORKERS = 8, 3
_LEAST_BATCH = 100


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
        minutes: of faults under load; beginning and verdict come on top.
        seed: fixes load and faults.
        guarantee: of the workers.
        rate: events a second.
        command: of a worker.
        faults: in the place of the seed's; the part under load ends after them.
    """

    minutes: float
    seed: int
    guarantee: Guarantee
    rate: int
    command: Sequence[str] = VICTIM
    faults: Sequence[Fault] = ()

    @property
    def batch(self) -> int:
        """Most records of a batch: of a second, so that what a crash may have repeated is a bound worth its name."""
        return max(_LEAST_BATCH, self.rate)

    @property
    def spares_after_s(self) -> float | None:
        """When the last worker begins to be spared, so that its memory can be judged; None: the run is too short."""
        return SPARED_AFTER_S if self.minutes >= LEAST_MINUTES and not self.faults else None
