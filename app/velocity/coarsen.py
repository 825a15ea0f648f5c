"""What bounds a busy entity's log: its older orders become buckets, the coarser the older they are.

The newest entries stay as they are. Before them a bucket is at most 1/64 as long as its age, so a window that reaches
so far back counts up to 1.6 % more time than it should. Of a bucket only the latest order's other entities are known:
distinct counts over it are a lower bound.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

EXACT_ENTRIES = 1_024
"""The newest of a log, which are never merged."""

_GRAIN_MS = 1_000
_BUCKETS_PER_AGE = 64


def coarsened(columns: dict[str, NDArray[Any]], latest: int) -> dict[str, NDArray[Any]]:
    """A shorter log of the same orders; ``latest`` is the time in ms that ages count from."""
    ts = columns["ts"]
    old = max(0, len(ts) - EXACT_ENTRIES)
    starts = np.flatnonzero(_begins(ts[:old], latest))
    ends = np.append(starts[1:], old) - 1
    merged = {name: column[:old][ends] for name, column in columns.items()}
    for name in ("amount", "squares", "count", "frauds", "unusual"):
        merged[name] = np.add.reduceat(columns[name][:old], starts)
    merged["largest"] = np.maximum.reduceat(columns["largest"][:old], starts)
    merged["order"] = np.where(starts == ends, merged["order"], 0).astype(np.uint64)
    return {name: np.concatenate((merged[name], column[old:])) for name, column in columns.items()}


def _begins(ts: NDArray[np.int64], latest: int) -> NDArray[np.bool_]:
    """Which of sorted times [n] begin a bucket."""
    grains = np.maximum(latest - ts, 0) // (_GRAIN_MS * _BUCKETS_PER_AGE)
    doublings = np.frexp(grains.astype(np.float64))[1] - 1
    width = _GRAIN_MS << doublings.clip(min=0).astype(np.int64)
    bucket = ts // width
    begins = np.ones(len(ts), np.bool_)
    begins[1:] = (bucket[1:] != bucket[:-1]) | (width[1:] != width[:-1])
    return begins
