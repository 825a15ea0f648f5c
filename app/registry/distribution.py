"""How scores are distributed, and by how much a distribution has moved."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]

_EDGES = (1 / (1 + np.exp(-np.arange(-9.0, 10.0)))).astype(np.float32)  # whole log-odds
_BINS = len(_EDGES) + 1
_UNSEEN = 0.5  # scores a bin is taken to have at least: one empty bin alone says little


def empty() -> Counts:
    """The distribution of no scores."""
    return np.zeros(_BINS, np.int64)


def counted(scores: Floats) -> Counts:
    """How many of ``scores`` [n], all finite and within 0 to 1, lie in each of the bins, which are one log-odds wide.

    Quantiles of the scores before, which are usual, would be as narrow as the scores lie close: where nearly all are
    near 0, as of a rare event, another calibration would look like another model.
    """
    return np.bincount(np.searchsorted(_EDGES, scores), minlength=_BINS)


def shift(before: Counts, after: Counts) -> float:
    """The population stability index of two distributions: 0 where they are alike, above 0.25 where they are not."""
    old, new = _shares(before), _shares(after)
    return float(((new - old) * np.log(new / old)).sum())


def _shares(counts: Counts) -> NDArray[np.float64]:
    found = np.maximum(counts, _UNSEEN)
    return np.asarray(found / found.sum())
