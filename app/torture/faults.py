"""What is done to workers and broker, in an order that a seed fixes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from app.torture.victim import BEGUN, DELIVERED, DRAIN, PRODUCED, RECOVERY, TAKEOVER, WRITTEN

Kind = Literal["kill", "zombie", "terminate", "broker"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: SIGKILL; SIGSTOP for longer than a session, then SIGCONT; SIGTERM; or SIGKILL of the broker.
        window: the point at which the worker is caught; None: wherever it is.
        wipes: whether the worker comes back with an empty disk.
        returns: whether it comes back within its session, or when others have taken over.
        target: number of the worker.
        settled: whether it waits until every worker has partitions.
        wait_s: from proven progress to the fault.
    """

    kind: Kind
    window: str | None
    wipes: bool
    returns: bool
    target: int
    settled: bool
    wait_s: float

    @property
    def name(self) -> str:
        """How it is counted."""
        return self.kind if self.window is None else f"{self.kind} {self.window}"


_KINDS: tuple[tuple[Kind, str | None], ...] = (
    ("kill", None),
    ("kill", PRODUCED),
    ("zombie", BEGUN),
    ("zombie", PRODUCED),
    ("kill", DELIVERED),
    ("kill", RECOVERY),
    ("broker", None),
    ("kill", DRAIN),
    ("terminate", None),
    ("zombie", None),
    ("kill", WRITTEN),
    ("kill", TAKEOVER),
    ("zombie", DELIVERED),
)
"""Each comes once in a round, in an order of the seed's; random kills come twice as often."""


def faults(seed: int, workers: int) -> Iterator[Fault]:
    """Faults without end."""
    choice = random.Random(seed)
    while True:
        kinds = [*_KINDS, ("kill", None)]
        choice.shuffle(kinds)
        for kind, window in kinds:
            yield Fault(
                kind=kind,
                window=window,
                wipes=choice.random() < 0.25,
                returns=choice.random() < 0.5,
                target=choice.randrange(workers),
                settled=window is not None or choice.random() < 0.75,
                wait_s=choice.uniform(0.2, 2.5),
            )
