"""An order against what its entity has been: the values that labels let stand, and what they called bad."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.velocity.definitions import DAY_MS, UNUSUAL, WINDOWS_MS, Aggregate, Velocity
from app.velocity.records import MONEY_SCALE, Ints
from app.velocity.windows import Floats, Windows, deviations, ratio_of, span

_LABEL_DELAY_MS = 7 * DAY_MS  # after which an order that no label called bad is taken for genuine
_GENUINE_MS = _LABEL_DELAY_MS + WINDOWS_MS["30d"]


Group = Sequence[Velocity]


def _start(group: Group, windows: Windows) -> Ints:
    """Where the only window of ``group`` starts at each order [n]."""
    return np.asarray(span(group, windows)[0][0])


def _span(group: Group, windows: Windows) -> tuple[Ints, Ints]:
    """Where the only window of ``group`` starts at each order, and before which position it stops [n]."""
    start, stop = span(group, windows)
    return start[0], stop if stop.ndim == 1 else stop[0]


def _genuine_ratio(group: Group, windows: Windows) -> Floats:
    mean, _, count = _genuine(windows, *span(group, windows))
    return np.where(count > 0, windows.own / np.where(count > 0, mean, 1), 1.0)


def _genuine_zscore(group: Group, windows: Windows) -> Floats:
    mean, deviation, _ = _genuine(windows, *span(group, windows))
    return deviations(windows.own, mean, deviation)


def _genuine(windows: Windows, start: Ints, stop: Ints) -> tuple[Floats, Floats, Ints]:
    """Mean and standard deviation (1e-4 major units) and number of orders that no label calls bad."""
    count = windows.total("genuine", start, stop)
    mean = ratio_of(windows.total("genuine_amount", start, stop), count)
    squares = ratio_of(windows.over(np.add, "genuine_squares", start, stop), count)
    return mean, np.sqrt(np.maximum(squares - mean * mean, 0)), count


def _unusual(group: Group, windows: Windows) -> Ints:
    owner, _ = _unusual_entries(group, windows)
    return np.bincount(owner, minlength=len(windows.here))


def _since_first_unusual(group: Group, windows: Windows) -> Floats:
    owner, at = _unusual_entries(group, windows)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    return _since(group, windows, owner[first], at[first])


def _since_last_unusual(group: Group, windows: Windows) -> Floats:
    owner, at = _unusual_entries(group, windows)
    last = np.flatnonzero(np.diff(owner, append=len(windows.here)))
    return _since(group, windows, owner[last], at[last])


def _unusual_entries(group: Group, windows: Windows) -> tuple[Ints, Ints]:
    """The unusual entries before each order in the window: the order's number and the entry's position, in order."""
    mean, _, count = _genuine(windows, *windows.after([_GENUINE_MS, _LABEL_DELAY_MS]))
    limit = np.where(count > 0, UNUSUAL * mean, np.inf)
    owner, at = windows.entries(_start(group, windows), windows.here)
    found = windows.column("largest")[at] >= limit[owner]
    return owner[found], at[found]


def _since(group: Group, windows: Windows, owner: Ints, at: Ints) -> Floats:
    """Seconds between entries and their orders; for orders without one as many as the window has."""
    found = np.full(len(windows.here), group[0].window_ms / 1000)
    found[owner] = (windows.column("ts")[windows.here[owner]] - windows.column("ts")[at]) / 1000
    return found


def _since_first_fraud(group: Group, windows: Windows) -> Floats:
    first = _following(_bad(group, windows))[_start(group, windows)]
    owner = np.flatnonzero(first <= windows.here)
    return _since(group, windows, owner, first[owner])


def _since_last_fraud(group: Group, windows: Windows) -> Floats:
    last = _latest(_bad(group, windows))[windows.here]
    owner = np.flatnonzero(last >= _start(group, windows))
    return _since(group, windows, owner, last[owner])


def _bad(group: Group, windows: Windows) -> NDArray[np.bool_]:
    bad = windows.column("frauds") > 0
    if group[0].limit is not None:
        ordinary = windows.column("largest") <= group[0].limit * MONEY_SCALE
        bad &= ordinary & (windows.column("unusual") == 0)
    return np.asarray(bad)


def _latest(flags: NDArray[np.bool_]) -> Ints:
    """Position of the latest flagged entry up to each entry, -1 if none."""
    return np.asarray(np.maximum.accumulate(np.where(flags, np.arange(len(flags)), -1)))


def _following(flags: NDArray[np.bool_]) -> Ints:
    """Position of the first flagged entry from each entry on [entries + 1], behind them all if there is none."""
    ahead = np.where(flags, np.arange(len(flags)), len(flags))[::-1]
    return np.append(np.minimum.accumulate(ahead)[::-1], len(flags))


def _since_genuine(group: Group, windows: Windows) -> Floats:
    start, stop = _span(group, windows)
    last = _latest(windows.column("genuine") > 0)[stop - 1]
    return _since_reach(group, windows, np.where(last >= start, last, stop), stop)


def _since_reach(group: Group, windows: Windows, at: Ints, stop: Ints) -> Floats:
    """Seconds since the entries ``at`` [n] of their orders; as many as the window reaches back where it is ``stop``."""
    found = np.full(len(at), (group[0].window_ms + group[0].delay_ms) / 1000)
    owner = np.flatnonzero(at < stop)
    ts = windows.column("ts")
    found[owner] = (ts[windows.here[owner]] - ts[at[owner]]) / 1000
    return found


def _fraud_streak(group: Group, windows: Windows) -> Ints:
    bad, start, stop = _streak(group, windows)
    counts = np.concatenate(([0], bad.cumsum()))
    return np.asarray(counts[stop] - counts[start])


def _since_streak(group: Group, windows: Windows) -> Floats:
    bad, start, stop = _streak(group, windows)
    return _since_reach(group, windows, np.minimum(_following(bad)[start], stop), stop)


def _streak(group: Group, windows: Windows) -> tuple[NDArray[np.bool_], Ints, Ints]:
    """Which entries are frauds, and where the streak of each order starts and before which position it stops [n]."""
    start, stop = _span(group, windows)
    last = _latest(windows.column("genuine") > 0)[stop - 1]
    return _bad(group, windows), np.minimum(np.maximum(last + 1, start), stop), stop


COMPUTED: dict[Aggregate, Callable[[Group, Windows], Floats | Ints]] = {
    "genuine_ratio": _genuine_ratio,
    "genuine_zscore": _genuine_zscore,
    "unusual": _unusual,
    "since_first_unusual": _since_first_unusual,
    "since_last_unusual": _since_last_unusual,
    "since_first_fraud": _since_first_fraud,
    "since_last_fraud": _since_last_fraud,
    "since_genuine": _since_genuine,
    "fraud_streak": _fraud_streak,
    "since_streak": _since_streak,
}

ALONE = frozenset(COMPUTED) - {"genuine_ratio", "genuine_zscore"}
"""Aggregates of which each velocity is computed by itself: they look at single entries."""
