"""How many different values a window has, for all velocities that count such at once.

A value counts at its last entry in the window; entries whose value comes again up to the order are left out. Orders go
on in time, and so do the starts of their windows: an entry before the window whose value came again stays so from one
order of its entity on.

Each pair of kinds, of the entity and of what is counted, has a copy of the logs of its entities, one after the other:
a position in it is one in the windows' logs and a shift.
"""

from collections.abc import Sequence

import numpy as np

from app.features.scan import Ints, ragged
from app.velocity.entities import Keys
from app.velocity.windows import Windows

_ODD = np.uint64(0x9E3779B97F4A7C15)
_ZERO = np.zeros(1, np.int64)


def _before(lengths: Ints) -> Ints:
    """Where runs of so many begin that lie one after the other, and where the last one ends [n + 1]."""
    return np.concatenate((_ZERO, lengths.cumsum()))


class _Copies:
    """The logs of ``pairs`` [p] of kinds, with their orders, one pair after the other.

    ``order_bounds`` [p + 1] are where the orders of each pair begin, ``beyond`` [orders] the position after each order.
    ``given`` [entries + 1] counts values up to each entry. Of entries whose value comes again at the same entity ``at``
    [repeats] are the positions, ``at_bounds`` [p + 1] where those of each pair begin, and ``seen_again`` [repeats] the
    first order at or after the entry that repeats each. ``of_others`` [orders] counts those of the entities before each
    order's, and ``before_here`` [orders] the entries of the order's entity that repeat one, up to the order.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]], windows: Windows) -> None:
        kinds = np.array([kind for kind, _ in pairs])
        begins, orders_from = windows.entry_bounds[kinds], windows.order_bounds[kinds]
        lengths, orders = windows.entry_bounds[kinds + 1] - begins, windows.order_bounds[kinds + 1] - orders_from
        self.order_bounds = _before(orders)
        bounds = _before(lengths)
        self.shift = bounds[:-1] - begins
        place, shift = ragged(orders_from, orders), self.shift.repeat(orders)
        self.values = np.concatenate([windows.others(*pair) for pair in pairs])
        entity = windows.rank[ragged(begins, lengths)] + (np.arange(len(pairs)) * len(windows.rank)).repeat(lengths)
        following = _following(self.values, entity)
        self.at = (following >= 0).nonzero()[0]
        self.at_bounds = self.at.searchsorted(bounds)
        self.given = _before(self.values != 0)
        first, here = windows.first[place] + shift, windows.here[place] + shift
        self.beyond = here + 1
        self.seen_again = here.searchsorted(following[self.at])
        self.of_others = self.at.searchsorted(first) - self.at_bounds[:-1].repeat(orders)
        is_repeat = np.zeros(len(self.values) + 1, np.int64)
        is_repeat[following[self.at] + 1] = 1
        count = is_repeat.cumsum()
        self.before_here = count[self.beyond] - count[first]


def _following(values: Keys, entity: Ints) -> Ints:
    """Position of the next entry of the same value, which is not 0, at the same entity [entries]; -1 if none."""
    where = values.nonzero()[0]
    mixed = values[where] ^ (entity[where].astype(np.uint64) * _ODD)
    order = where[mixed.argsort(kind="stable")]
    before, after = order[:-1], order[1:]
    same = (values[after] == values[before]) & (entity[after] == entity[before])
    following = np.full(len(values), -1)
    following[before[same]] = after[same]
    return following


def distinct(pairs: Sequence[tuple[int, int]], windows: Windows, bounds: Ints, start: Ints) -> Ints:
    """How many different values there are from ``start`` [m] of each window up to its order [m], 0 not counted.

    Args:
        pairs: for each velocity [w] the kind of its entity and that of the keys that are counted.
        windows: with all orders of these entities.
        bounds: where in ``start`` the windows of each velocity begin [w + 1].
        start: of the windows of each velocity at all orders of its kind of entity.
    """
    copies = _Copies(numbers := list(dict.fromkeys(pairs)), windows)
    pair = np.array([numbers.index(each) for each in pairs])
    counts = np.diff(bounds)
    order = ragged(copies.order_bounds[pair], counts)
    start = start + copies.shift[pair].repeat(counts)
    stop = copies.beyond[order]
    earlier = _left_by(copies, pair, bounds, start) - copies.of_others[order]
    return np.asarray(copies.given[stop] - copies.given[start] - (copies.before_here[order] - earlier))


def _left_by(copies: _Copies, pair: Ints, bounds: Ints, start: Ints) -> Ints:
    """How many entries that come again have left each window [m] and come again by its order [m]."""
    counts, velocity = np.diff(bounds), np.arange(len(pair))
    entries = np.diff(copies.at_bounds)[pair]
    repeat, of = ragged(copies.at_bounds[pair], entries), velocity.repeat(entries)
    wide = len(copies.values) + 1
    left_at = (start + velocity.repeat(counts) * wide).searchsorted(copies.at[repeat] + of * wide, "right")
    seen_again = copies.seen_again[repeat] + (bounds[:-1] - copies.order_bounds[pair])[of]
    gone = np.maximum(left_at, seen_again) + of  # a place more for each velocity: those that have not gone by its end
    by = _before(np.bincount(gone, minlength=len(start) + len(pair)))
    before = by[bounds[:-1] + velocity]
    return np.asarray(by[np.arange(1, len(start) + 1) + velocity.repeat(counts)] - before.repeat(counts))
