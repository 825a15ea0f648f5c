"""Running sums, maxima and ranks within groups, for whole columns at once.

Rows are sorted so that a group is one run of rows; a group is named by the index of its first row. What a row
sees is then the same however the rows were cut into chunks, as long as the base carries over what came before.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_SPAN = np.int64(1 << 43)  # more than any time in ms before the year 2200


def group_starts(group: NDArray[Any]) -> Ints:
    """Index of the first row of each run of equal values in ``group`` [n]."""
    if len(group) == 0:
        return np.zeros(0, np.int64)
    starts = np.empty(len(group), np.bool_)
    starts[0] = True
    np.not_equal(group[1:], group[:-1], out=starts[1:])
    return starts.nonzero()[0]


def group_index(first: Flags) -> Ints:
    """Number of the group each row belongs to, from flags [n] that mark first rows."""
    return np.asarray(first.cumsum(dtype=np.int64) - 1)


def first_rows(starts: Ints, n: int) -> Flags:
    """Flags [n] that mark the rows in ``starts``."""
    flags = np.zeros(n, np.bool_)
    flags[starts] = True
    return flags


def last_rows(starts: Ints, n: int) -> Ints:
    """Index of the last row of each group [groups], from the first ones."""
    last = np.empty_like(starts)
    last[:-1] = starts[1:] - 1
    last[-1:] = n - 1
    return last


def ragged(starts: Ints, lengths: Ints) -> Ints:
    """The indices of runs one after the other: start, start + 1, ... of each."""
    ends = lengths.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + (starts - (ends - lengths)).repeat(lengths))


def run_lengths(starts: Ints, total: int) -> Ints:
    """The lengths of runs that begin at ``starts`` and fill ``total`` rows."""
    lengths = np.empty_like(starts)
    lengths[:-1] = starts[1:] - starts[:-1]
    lengths[-1:] = total - starts[-1:]
    return lengths


def running_sum(values: NDArray[Any], starts: Ints, group: Ints, base: NDArray[Any] | int = 0) -> NDArray[Any]:
    """Sum of ``values`` [..., n] from each group's first row up to and including each row, plus ``base`` [..., groups].

    Args:
        values: int64 [..., n]; integers, so that sums do not depend on where a chunk was cut.
        starts: first row of each group [groups].
        group: group of each row [n].
        base: what each group brings along.
    """
    total = values.cumsum(axis=-1)
    before = base - (total[..., starts] - values[..., starts])
    return np.asarray(total + before[..., group])


def running_max(values: Ints, starts: Ints, group: Ints, base: Ints) -> Ints:
    """Maximum of ``values`` [..., n] (0 to 2**43) and the group's ``base`` [..., groups] up to each row."""
    floor = group * _SPAN
    lifted = values + floor
    lifted[..., starts] = np.maximum(lifted[..., starts], base + floor[starts])
    return np.asarray(np.maximum.accumulate(lifted, axis=-1) - floor)


def previous(values: NDArray[Any], starts: Ints, base: NDArray[Any]) -> NDArray[Any]:
    """The value of the row before, and the group's ``base`` [groups] at its first row."""
    shifted = np.empty_like(values)
    shifted[1:] = values[:-1]
    shifted[starts] = base
    return shifted


def ranks(starts: Ints, group: Ints) -> Ints:
    """Position of each row within its group, from 0."""
    return np.asarray(np.arange(len(group)) - starts[group])
