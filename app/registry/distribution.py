"""How scores are distributed, and by how much a distribution has moved."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]

_BINS = 64
_WIDEST = 9.0  # log-odds of the outermost edges
_EDGES = (1 / (1 + np.exp(-np.linspace(-_WIDEST, _WIDEST, _BINS - 1)))).astype(np.float32)
_GROUPS = 10
_UNSEEN = 0.5  # records a group is taken to have at least: one empty group alone says little


def empty() -> Counts:
    """The distribution of no scores."""
    return np.zeros(_BINS, np.int64)


def counted(scores: Floats) -> Counts:
    """How many of ``scores`` [n], all finite and within 0 to 1, lie in each of the bins, even in log-odds."""
    return np.bincount(np.searchsorted(_EDGES, scores), minlength=_BINS)


def shift(before: Counts, after: Counts) -> float:
    """The population stability index of two distributions: 0 where they are alike, above 0.25 where they are not.

    The bins are joined to at most ten groups of about the same share of ``before``, as usual, and what lies below and
    above all of it to one each.
    """
    group = _groups(before)
    old, new = _shares(group, before), _shares(group, after)
    return float(((new - old) * np.log(new / old)).sum())


def _groups(before: Counts) -> NDArray[np.int64]:
    """The group of each bin: 0 below every score, then by tenths of them, the last above every score."""
    share = before.cumsum() / max(int(before.sum()), 1)
    tenths = 1 + np.minimum((share - 1e-9) * _GROUPS, _GROUPS - 1).astype(np.int64)
    is_above = before[::-1].cumsum()[::-1] == 0
    return np.where(share == 0, 0, np.where(is_above, _GROUPS + 1, tenths))


def _shares(group: NDArray[np.int64], counts: Counts) -> NDArray[np.float64]:
    found = np.maximum(np.bincount(group, weights=counts, minlength=_GROUPS + 2), _UNSEEN)
    return np.asarray(found / found.sum())
