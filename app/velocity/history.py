"""An order against what its entity has been: the values that labels let stand, and what they called bad."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.features.scan import Ints
from app.velocity.definitions import DAY_MS, UNUSUAL, WINDOWS_MS, Aggregate
from app.velocity.records import MONEY_SCALE
from app.velocity.windows import Floats, Group, Spans, Windows, deviations, ratio_of

_LABEL_DELAY_MS = 7 * DAY_MS  # after which an order that no label called bad is taken for genuine
_GENUINE_MS = _LABEL_DELAY_MS + WINDOWS_MS["30d"]


def _genuine_ratio(_: Group, windows: Windows, spans: Spans) -> Floats:
    mean, _deviation, count = _genuine(windows, spans.start, spans.stop)
    return np.where(count > 0, windows.amounts(spans.orders) / np.where(count > 0, mean, 1), 1.0)


def _genuine_zscore(_: Group, windows: Windows, spans: Spans) -> Floats:
    mean, deviation, _count = _genuine(windows, spans.start, spans.stop)
    return deviations(windows.amounts(spans.orders), mean, deviation)


def _genuine(windows: Windows, start: Ints, stop: Ints) -> tuple[Floats, Floats, Ints]:
    """Mean and standard deviation (1e-4 major units) and number of orders that no label calls bad."""
    count = windows.total("genuine", start, stop)
    mean = ratio_of(windows.total("genuine_amount", start, stop), count)
    squares = ratio_of(windows.over(np.add, "genuine_squares", start, stop), count)
    return mean, np.sqrt(np.maximum(squares - mean * mean, 0)), count


def _unusual(_: Group, windows: Windows, spans: Spans) -> Ints:
    owner, _at = _unusual_entries(windows, spans)
    return np.bincount(owner, minlength=len(spans.orders))


def _since_first_unusual(group: Group, windows: Windows, spans: Spans) -> Floats:
    owner, at = _unusual_entries(windows, spans)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    return _since(group, windows, spans, owner[first], at[first])


def _since_last_unusual(group: Group, windows: Windows, spans: Spans) -> Floats:
    owner, at = _unusual_entries(windows, spans)
    last = np.flatnonzero(np.diff(owner, append=len(spans.orders)))
    return _since(group, windows, spans, owner[last], at[last])


def _unusual_entries(windows: Windows, spans: Spans) -> tuple[Ints, Ints]:
    """The unusual entries before each order in the window: the order's number and the entry's position, in order."""
    reach = windows.after(spans.orders, _GENUINE_MS), windows.after(spans.orders, _LABEL_DELAY_MS)
    mean, _, count = _genuine(windows, *reach)
    limit = np.where(count > 0, UNUSUAL * mean, np.inf)
    owner, at = windows.entries(spans.start, _here(windows, spans))
    found = windows.column("largest")[at] >= limit[owner]
    return owner[found], at[found]


def _here(windows: Windows, spans: Spans) -> Ints:
    """Where the orders [m] themselves are."""
    return np.asarray(windows.here[spans.orders])


def _since(group: Group, windows: Windows, spans: Spans, owner: Ints, at: Ints) -> Floats:
    """Seconds between entries and their orders; for orders without one as many as the window has."""
    ts, here = windows.column("ts"), _here(windows, spans)
    found = np.full(len(here), group.velocities[0].window_ms / 1000)
    found[owner] = (ts[here[owner]] - ts[at]) / 1000
    return found


def _since_first_fraud(group: Group, windows: Windows, spans: Spans) -> Floats:
    first = _following(_bad(group, windows))[spans.start]
    owner = np.flatnonzero(first <= _here(windows, spans))
    return _since(group, windows, spans, owner, first[owner])


def _since_last_fraud(group: Group, windows: Windows, spans: Spans) -> Floats:
    last = _latest(_bad(group, windows))[_here(windows, spans)]
    owner = np.flatnonzero(last >= spans.start)
    return _since(group, windows, spans, owner, last[owner])


def _bad(group: Group, windows: Windows) -> NDArray[np.bool_]:
    bad, limit = windows.column("frauds") > 0, group.velocities[0].limit
    if limit is not None:
        ordinary = windows.column("largest") <= limit * MONEY_SCALE
        bad &= ordinary & (windows.column("unusual") == 0)
    return np.asarray(bad)


def _latest(flags: NDArray[np.bool_]) -> Ints:
    """Position of the latest flagged entry up to each entry, -1 if none."""
    return np.asarray(np.maximum.accumulate(np.where(flags, np.arange(len(flags)), -1)))


def _following(flags: NDArray[np.bool_]) -> Ints:
    """Position of the first flagged entry from each entry on [entries + 1], behind them all if there is none."""
    ahead = np.where(flags, np.arange(len(flags)), len(flags))[::-1]
    return np.append(np.minimum.accumulate(ahead)[::-1], len(flags))


def _since_genuine(group: Group, windows: Windows, spans: Spans) -> Floats:
    last = _latest(windows.column("genuine") > 0)[spans.stop - 1]
    return _since_reach(group, windows, spans, np.where(last >= spans.start, last, spans.stop))


def _since_reach(group: Group, windows: Windows, spans: Spans, at: Ints) -> Floats:
    """Seconds since the entries ``at`` [m] of the orders; as many as the window reaches back where it is its end."""
    (velocity,) = group.velocities
    found = np.full(len(at), (velocity.window_ms + velocity.delay_ms) / 1000)
    owner = np.flatnonzero(at < spans.stop)
    ts = windows.column("ts")
    found[owner] = (ts[_here(windows, spans)[owner]] - ts[at[owner]]) / 1000
    return found


def _fraud_streak(group: Group, windows: Windows, spans: Spans) -> Ints:
    bad, start = _streak(group, windows, spans)
    counts = np.concatenate(([0], bad.cumsum()))
    return np.asarray(counts[spans.stop] - counts[start])


def _since_streak(group: Group, windows: Windows, spans: Spans) -> Floats:
    bad, start = _streak(group, windows, spans)
    return _since_reach(group, windows, spans, np.minimum(_following(bad)[start], spans.stop))


def _streak(group: Group, windows: Windows, spans: Spans) -> tuple[NDArray[np.bool_], Ints]:
    """Which entries are frauds, and where the streak of each order starts [m]."""
    last = _latest(windows.column("genuine") > 0)[spans.stop - 1]
    return _bad(group, windows), np.minimum(np.maximum(last + 1, spans.start), spans.stop)


COMPUTED: dict[Aggregate, Callable[[Group, Windows, Spans], Floats | Ints]] = {
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
