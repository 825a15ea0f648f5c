"""The catalogue of what the intent model sees at a click: each feature once, with its unit.

All features are non-negative, raw numbers. The model's graph takes the logarithm of all but the last two and scales
them; the buckets say where in the model's tables to look the product and the category up.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.features.session import ADDED, REMOVED, Sessions, SortedClicks
from app.state.rows import MONEY_SCALE, Rows
from schemas.events import CLICK_TYPES

PRODUCT_BUCKETS, CATEGORY_BUCKETS = 8_192, 4_096

_DAY_MS = 86_400_000
_BUCKETS = np.array([[PRODUCT_BUCKETS - 1], [CATEGORY_BUCKETS - 1]], np.uint64)


@dataclass(frozen=True)
class Feature:
    """One input of a model: its name, its unit, what it means, and the window it looks back over if it has one."""

    name: str
    unit: str
    meaning: str
    window: str = ""


CLICK_FEATURES: tuple[Feature, ...] = (
    *(Feature(f"is_{name}", "0 or 1", f"this click is {name}") for name in CLICK_TYPES),
    *(Feature(f"{name}_count", "clicks", f"{name} so far in this session") for name in CLICK_TYPES),
    Feature("session_events", "clicks", "clicks so far in this session"),
    Feature("session_seconds", "s", "since the session's first click"),
    Feature("gap_seconds", "s", "since the user's click before, also across sessions"),
    Feature("is_new_session", "0 or 1", "this click starts a session"),
    Feature("distinct_items", "products", "distinct products so far in this session, at most 256"),
    Feature("repeated_items", "clicks", "clicks on a product seen before in this session"),
    Feature("is_repeated_item", "0 or 1", "this click's product was seen before in this session"),
    Feature("distinct_categories", "categories", "distinct categories so far in this session, at most 64"),
    Feature("cart_value", "major units", "value in the cart, 0 if negative"),
    Feature("cart_items", "products", "added minus removed in this session, 0 if negative"),
    Feature("price", "major units", "this click's price, 0 if absent"),
    Feature("has_price", "0 or 1", "this click has a price"),
    Feature("user_sessions", "sessions", "the user's sessions, this one included"),
    Feature("user_clicks", "clicks", "the user's clicks, this one included"),
    Feature("user_adds", "clicks", "the user's cart additions"),
    Feature("user_purchases", "clicks", "the user's completed orders"),
    Feature("user_abandoned_carts", "sessions", "the user's sessions that left a cart and no purchase"),
    Feature("since_purchase_seconds", "s", "since the user's latest completed order, 0 if none"),
    Feature("has_purchased", "0 or 1", "the user completed an order before or now"),
    Feature("since_add_seconds", "s", "since the user's latest cart addition, 0 if none"),
    Feature("has_added", "0 or 1", "the user added to the cart before or now"),
    Feature("known_seconds", "s", "since the user's first event"),
    Feature("hour_sine", "0 to 2", "1 + sin of the time of day, UTC"),
    Feature("hour_cosine", "0 to 2", "1 + cos of the time of day, UTC"),
    Feature("product_bucket", f"1 to {PRODUCT_BUCKETS - 1}", "hash of this click's product, 0 if absent"),
    Feature("category_bucket", f"1 to {CATEGORY_BUCKETS - 1}", "hash of this click's category, 0 if absent"),
)
NUMBERS = len(CLICK_FEATURES) - 2
"""How many columns come before the buckets."""


def click_features(rows: Rows, clicks: SortedClicks, seen: Sessions) -> NDArray[np.float32]:
    """The intent model's inputs [n, features], in the order of ``CLICK_FEATURES``."""
    types = len(CLICK_TYPES)
    out = np.empty((len(CLICK_FEATURES), len(clicks.ts)), np.float32)
    out[:types] = clicks.type == np.arange(types)[:, None]
    out[types : 2 * types] = seen.counts
    items, repeats, categories = seen.distinct
    sessions, user_clicks, adds, purchases, abandoned_carts = seen.history
    angle = (clicks.ts % _DAY_MS) * (2 * np.pi / _DAY_MS)
    first_seen = rows["first_seen"][clicks.user]
    rest = (
        seen.events,
        np.maximum(clicks.ts - seen.started_at, 0) / 1000,
        seen.gap_ms / 1000,
        seen.new,
        items,
        repeats,
        seen.repeated,
        categories,
        np.maximum(seen.cart, 0) / MONEY_SCALE,
        np.maximum(seen.counts[ADDED] - seen.counts[REMOVED], 0),
        clicks.price,
        clicks.price > 0,
        sessions,
        user_clicks,
        adds,
        purchases,
        abandoned_carts,
        _seconds_since(seen.last_purchase, clicks.ts),
        seen.last_purchase > 0,
        _seconds_since(seen.last_add, clicks.ts),
        seen.last_add > 0,
        np.maximum(clicks.ts - first_seen, 0) / 1000,
        1 + np.sin(angle),
        1 + np.cos(angle),
        *buckets(clicks.hashes),
    )
    for index, column in enumerate(rest, start=2 * types):
        out[index] = column
    return np.ascontiguousarray(out.T)


def buckets(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Places [2, n] in a model's tables of products and of categories, from their hashes [2, n]; 0 where absent."""
    return np.where(hashes == 0, np.uint64(0), np.uint64(1) + hashes % _BUCKETS)


def _seconds_since(latest: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Seconds [n] from ``latest`` [n] to ``ts`` [n], both ms; 0 where there was none or it is dated later."""
    return np.asarray(np.where(latest > 0, np.maximum(ts - latest, 0), 0) / 1000)
