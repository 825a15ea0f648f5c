"""Orders that came before: found however they were cut into calls, and after they were stored."""

from collections import defaultdict, deque
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.velocity.repeats import REMEMBERED, RecentOrders


def keys(values: list[int]) -> NDArray[np.uint64]:
    return np.array(values, np.uint64)


def reference(orders: list[tuple[int, int]]) -> list[bool]:
    latest: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
    found = []
    for user, event in orders:
        found.append(event in latest[user])
        if not found[-1]:
            latest[user].append(event)
    return found


placed = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 30)), max_size=120)


@given(placed, st.lists(st.integers(0, 120)), st.booleans())
def test_a_repeated_order_is_found_among_the_latest_of_its_user(
    orders: list[tuple[int, int]], cuts: list[int], storing: bool
) -> None:
    recent, found = RecentOrders(), list[bool]()
    bounds = [0, *sorted(cut for cut in cuts if cut < len(orders)), len(orders)]
    for start, stop in pairwise(bounds):
        part = orders[start:stop]
        found += recent.repeated(keys([user for user, _ in part]), keys([event for _, event in part])).tolist()
        recent = RecentOrders.restored(recent.stored()) if storing else recent
    assert found == reference(orders)


def test_who_is_forgotten_has_ordered_nothing() -> None:
    recent = RecentOrders()
    recent.repeated(keys([1, 2]), keys([7, 7]))
    recent.forget([1, 9])
    assert recent.repeated(keys([1, 2]), keys([7, 7])).tolist() == [False, True]
