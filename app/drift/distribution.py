"""How a model's inputs and scores were distributed in training, and by how much those of a window are not.

The population stability index is the sum of (p - q) ln(p / q) over bins that held about a tenth of the training rows
each: 0 where both are alike, above 0.25 where they are not (Siddiqi, "Credit Risk Scorecards", 2006).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.models.manifest import Bins, Reference

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]
"""[edges + 1, columns]: of each column how many values are known, then how many lie above each edge. Counts of several
windows add up."""

CALENDAR = frozenset({"hour", "hour_sine", "hour_cosine", "is_night", "is_weekend", "time_of_day"})
"""Inputs that tell the clock: they differ from window to window, and say nothing of visitors."""

HASHES = frozenset({"product_bucket", "category_bucket"})
"""Inputs whose size means nothing."""

SCORE = "score"

_LEAST_SHARE = 1e-4  # of a bin: one that was empty alone says little


class Distribution:
    """A reference, ready to be compared with.

    Args:
        reference: of a model's manifest.
        features: names of the columns that the model gets, in order.

    Raises:
        ValueError: the reference has an input that is none of ``features``, or bins that are none.
    """

    compared_with = "training"
    """What a window is compared with, in words."""

    def __init__(self, reference: Reference, features: Sequence[str]) -> None:
        bins = [*reference.inputs, reference.score]
        if wrong := [one.name for one in bins if not _are_bins(one)]:
            raise ValueError(f"the bins of {', '.join(wrong)} are not edges that rise and a share more than these")
        self.names = tuple(one.name for one in bins)
        self._columns = np.array([list(features).index(one.name) for one in reference.inputs], np.int64)
        self._edges = _padded([one.edges for one in bins], np.inf).astype(np.float32)
        self._shares = _padded([one.shares for one in bins], np.nan)

    def counts(self, features: Floats, scores: Floats) -> Counts:
        """The counts of rows with ``features`` [n, F] and ``scores`` [n]; values that are not finite are not known."""
        values = np.column_stack((features[:, self._columns], scores))
        with np.errstate(invalid="ignore"):
            masks = [np.isfinite(values), *(values > edges for edges in self._edges)]
        # A product with ones: adding up booleans costs several times as much.
        ones = np.ones(len(values), np.float32)
        return np.array([ones @ mask.astype(np.float32) for mask in masks], np.int64)

    def empty(self) -> Counts:
        """The counts of no rows."""
        return np.zeros((len(self._edges) + 1, len(self.names)), np.int64)

    def judged(self, counts: Counts, before: Counts | None) -> NDArray[np.float64] | None:
        """The index of each column of a window [columns]; None where there is nothing to compare it with.

        Args:
            counts: of the window.
            before: of the window before, if there was one.
        """
        return self.psi(counts)

    def psi(self, counts: Counts) -> NDArray[np.float64]:
        """The population stability index of each column [columns]; 0 where no value is known."""
        return self._psi(counts, self._shares)

    def _psi(self, counts: Counts, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same against ``shares`` [bins, columns], NaN where a column has no such bin."""
        found = np.maximum(shares_of(counts), _LEAST_SHARE)
        expected = np.maximum(shares, _LEAST_SHARE)
        terms = (found - expected) * np.log(found / expected)
        psi = np.where(np.isnan(shares), 0, terms).sum(axis=0)
        return np.where(counts[0] > 0, psi, 0)


def shares_of(counts: Counts) -> NDArray[np.float64]:
    """How much of each column lies in each bin [bins, columns]."""
    within = counts - np.vstack((counts[1:], np.zeros_like(counts[:1])))
    return np.asarray(within / np.maximum(counts[0], 1))


def bins_of(name: str, values: NDArray[np.floating], weight: NDArray[np.floating]) -> Bins:
    """Bins of about a tenth of ``values`` [n] each, counted by ``weight`` [n]; fewer where values are often equal."""
    narrow = values.astype(np.float32)
    order = np.argsort(narrow, kind="stable")
    below = np.cumsum(weight[order], dtype=np.float64)
    places = np.searchsorted(below, below[-1] * np.arange(1, 10) / 10)
    edges = np.unique(narrow[order[np.minimum(places, len(order) - 1)]])
    shares = np.bincount(np.searchsorted(edges, narrow), weight, len(edges) + 1) / below[-1]
    return Bins(name, [float(f"{edge:.9g}") for edge in edges.tolist()], [round(share, 6) for share in shares.tolist()])


def reference_of(
    names: Sequence[str], features: NDArray[np.floating], scores: NDArray[np.floating], weight: NDArray[np.floating]
) -> Reference:
    """What a model's manifest keeps of the rows that it learned from.

    Args:
        names: of the columns of ``features``.
        features: [n, F].
        scores: what the model says of the rows [n].
        weight: how much each row counts [n].
    """
    watched = [(name, column) for column, name in enumerate(names) if name not in CALENDAR | HASHES]
    return Reference(
        rows=len(features),
        inputs=[bins_of(name, features[:, column], weight) for name, column in watched],
        score=bins_of(SCORE, scores, weight),
    )


def _are_bins(one: Bins) -> bool:
    rising = bool(one.edges) and one.edges == sorted(one.edges)
    return rising and len(one.shares) == len(one.edges) + 1


def _padded(rows: Sequence[Sequence[float]], by: float) -> NDArray[np.float64]:
    """``rows`` as columns of equal length."""
    longest = max(len(row) for row in rows)
    return np.array([[*row, *[by] * (longest - len(row))] for row in rows], np.float64).T
