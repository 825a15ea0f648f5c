"""What products and categories have been like: tables by bucket that a model looks them up in.

Only numbers about all visitors together: how often, and how much more or less than usual it was ordered, added or the
last of its session. A training row must not find its own user's orders there, or the model would trust the
tables more than it may; its numbers come from the other users alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import CATEGORY_BUCKETS, NUMBERS, PRODUCT_BUCKETS
from app.training.click_sets import ClickSet
from schemas.events import CLICK_CODES

KNOWN = ("popularity", "orders", "additions", "exits")
"""Columns of a table: the logarithm of 1 + clicks in 100,000 of its data set, and logarithms of how many times the
usual rate an order, an addition to cart or wishlist, or the end of a session fell on it; 0 is as usual."""

_FOLDS = 10
_USUAL = 50.0  # clicks at the usual rate that every bucket begins with
_LEAST_SPREAD = 1e-2
_BUCKETS = (NUMBERS + 1, CATEGORY_BUCKETS), (NUMBERS, PRODUCT_BUCKETS)  # columns of the features
_ADDITIONS = [CLICK_CODES["product_added"], CLICK_CODES["product_added_to_wishlist"]]

Floats = NDArray[np.float32]
Wide = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Tables:
    """Scaled rows of ``categories`` [buckets, 4] and ``products`` [buckets, 4]; row 0 is for what has none."""

    categories: Floats
    products: Floats


@dataclass(frozen=True, eq=False)
class Known:
    """The tables, and what each click [N] of all sets finds in them, [N, 8]: categories' columns, then products'."""

    tables: Tables
    columns: Floats


def known_of(sets: Sequence[ClickSet], parts: Sequence[int], weight: Floats) -> Known:
    """Tables of the clicks in ``parts`` of all sets, scaled over clicks [N] that count by ``weight`` [N]."""
    found = [_looked_up(sets, parts, column, buckets) for column, buckets in _BUCKETS]
    columns = np.hstack([of_clicks for _, of_clicks in found])
    share = (weight / weight.sum()).astype(np.float64)
    mean = share @ columns
    spread = np.sqrt(np.maximum(share @ (columns - mean) ** 2, _LEAST_SPREAD**2))
    scaled = (
        ((table - mean[part]) / spread[part]).astype(np.float32)
        for (table, _), part in zip(found, (slice(0, len(KNOWN)), slice(len(KNOWN), None)), strict=True)
    )
    return Known(Tables(*scaled), ((columns - mean) / spread).astype(np.float32))


def _looked_up(sets: Sequence[ClickSet], parts: Sequence[int], column: int, buckets: int) -> tuple[Wide, Wide]:
    """The table [buckets, 4] of a column of buckets, and what the clicks of all sets find [N, 4], before scaling."""
    counted = [np.isin(one.part, parts) for one in sets]
    sums = sum(_sums(one, rows, column, buckets) for one, rows in zip(sets, counted, strict=True))
    whole = _table(np.sum(sums, axis=0))
    without = np.stack([_table(np.sum(sums, axis=0) - fold) for fold in np.asarray(sums)])
    found = []
    for one, rows in zip(sets, counted, strict=True):
        bucket = one.rows.features[:, column].astype(np.int64)
        found.append(np.where(rows[:, None], without[one.rows.user % _FOLDS, bucket], whole[bucket]))
    return whole, np.concatenate(found)


def _sums(one: ClickSet, counted: Flags, column: int, buckets: int) -> Wide:
    """Of the ``counted`` clicks [n] by fold of users [folds, 8, buckets]: clicks, clicks in 100,000, how many of them
    were orders, additions and exits, and how many would be at the set's usual rates."""
    rows = counted.nonzero()[0]
    place = one.rows.user[rows] % _FOLDS * buckets + one.rows.features[rows, column].astype(np.int64)
    types = one.rows.type[rows]
    came = types == CLICK_CODES["order_completed"], np.isin(types, _ADDITIONS), one.outlook.ends[rows]
    clicks = np.bincount(place, minlength=_FOLDS * buckets).astype(np.float64)
    events = [np.bincount(place, flags, minlength=_FOLDS * buckets) for flags in came]
    usual = [clicks * (flags.sum() / max(1, len(rows))) for flags in came]
    sums = np.stack([clicks, clicks * (1e5 / max(1, len(rows))), *events, *usual])
    return sums.reshape(8, _FOLDS, buckets).swapaxes(0, 1)


def _table(sums: Wide) -> Wide:
    """Rows [buckets, 4] of ``KNOWN`` from sums [8, buckets]; row 0 is all zeros."""
    clicks, share, events, usual = sums[0], sums[1], sums[2:5], sums[5:8]
    begin = _USUAL * usual.sum(axis=1, keepdims=True) / max(1, clicks.sum()) + 1e-9
    table = np.vstack([np.log1p(share), np.log((events + begin) / (usual + begin))]).T
    table[0] = 0
    return table
