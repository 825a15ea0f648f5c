"""Variants side by side with the model they were made of, and which of them is the best trade-off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from app.bench.timing import SIZES, seconds_of_calls
from app.bench.workloads import feeds_for, rows_of
from app.models.manifest import Manifest
from app.models.session import Session, session_of

Figures = dict[str, dict[str, float]]
"""Set, then metric."""

MAY_LOSE: Final = 0.002
"""What a metric may be worse by, in its own unit."""

MAY_MOVE: Final = 1e-4
"""What a row's outputs may change by with the rows beside it: the golden batch's tolerance."""

MUST_GAIN: Final = 0.05
"""The share of the original's cost that a variant must save, for what timings differ by from run to run."""

RULE: Final = (
    f"Of the variants that are at most {MAY_LOSE:g} worse in every metric and whose rows move by at most {MAY_MOVE:g} "
    f"with the rows beside them, the one of the least cost; the original unless that saves {MUST_GAIN:.0%}. Cost is "
    "the geometric mean of size and latency at 1, 64 and 1,024 rows, each over the original's."
)

_LOWER_IS_BETTER: Final = ("log_loss", "brier")
_TOGETHER: Final = 64


@dataclass(frozen=True)
class Measured:
    """A variant, and how it did: ``size`` in bytes, seconds of a call by rows, metrics by set, and what a row's outputs
    ``move`` by with the rows beside it. The first of several is the original."""

    name: str
    how: str
    size: int
    seconds: Mapping[int, float]
    figures: Figures
    moves: float

    @property
    def rows_per_second(self) -> float:
        """In batches of the best size."""
        return max(rows / seconds for rows, seconds in self.seconds.items())

    def cost(self, original: "Measured") -> float:
        """See `RULE`; 1 for the original."""
        ratios = [self.size / original.size, *(self.seconds[rows] / original.seconds[rows] for rows in self.seconds)]
        return float(np.exp(np.log(ratios).mean()))

    def loss(self, original: "Measured") -> float:
        """The most that a metric is worse by than the original's; below 0 where all are better."""
        return max(
            (value - self.figures[name][metric]) * (-1 if metric in _LOWER_IS_BETTER else 1)
            for name, metrics in original.figures.items()
            for metric, value in metrics.items()
        )


@dataclass(frozen=True)
class Outcome:
    """The ``variants``, the original first, the best of them, and the version that it was stored as, if it was."""

    variants: Sequence[Measured]
    chosen: Measured
    stored: str | None


def measured(
    manifest: Manifest, graphs: Mapping[str, bytes], hows: Mapping[str, str], figures: Mapping[str, Figures]
) -> list[Measured]:
    """Variants by name, timed on the CPU in one thread as in a worker."""
    sessions = {name: session_of(graph) for name, graph in graphs.items()}
    seconds = {rows: _timed(manifest, sessions, rows) for rows in SIZES}
    return [
        Measured(
            name,
            hows[name],
            len(graph),
            {rows: seconds[rows][name] for rows in SIZES},
            figures[name],
            moved(manifest, sessions[name]),
        )
        for name, graph in graphs.items()
    ]


def best(variants: Sequence[Measured]) -> Measured:
    """The best trade-off by `RULE`; the first of ``variants`` is the original."""
    original = variants[0]
    fit = [
        one
        for one in variants[1:]
        if one.loss(original) <= MAY_LOSE + 1e-9 and one.moves <= MAY_MOVE and one.cost(original) <= 1 - MUST_GAIN
    ]
    return min(fit, key=lambda one: one.cost(original), default=original)


def moved(manifest: Manifest, session: Session) -> float:
    """The most that an output differs between 64 rows in one call and each in a call of its own."""
    names = [tensor.name for tensor in manifest.outputs]
    feeds = feeds_for(manifest, _TOGETHER)
    together = session.run(names, feeds)
    most = 0.0
    for row in range(_TOGETHER):
        alone = session.run(names, rows_of(manifest, feeds, [row]))
        pairs = zip(together, alone, strict=True)
        most = max(most, *(float(np.abs(whole[row] - one[0]).max()) for whole, one in pairs))
    return most


def _timed(manifest: Manifest, sessions: Mapping[str, Session], rows: int) -> dict[str, float]:
    names = [tensor.name for tensor in manifest.outputs]
    feeds = feeds_for(manifest, rows)
    return seconds_of_calls({name: partial(session.run, names, feeds) for name, session in sessions.items()}, rows)
