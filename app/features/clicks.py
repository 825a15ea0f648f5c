"""The catalogue of what the intent model sees at a click: each feature once, with its unit.

All features are non-negative, raw numbers; the model's graph takes their logarithm and scales them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.features.session import ADDED, REMOVED, Sessions, SortedClicks
from app.state.rows import MONEY_SCALE, Rows
from schemas.events import CLICK_TYPES

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Feature:
    """One input of a model: its name, its unit and what it means."""

    name: str
    unit: str
    meaning: str


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
    Feature("known_seconds", "s", "since the user's first event"),
    Feature("hour_sine", "0 to 2", "1 + sin of the time of day, UTC"),
    Feature("hour_cosine", "0 to 2", "1 + cos of the time of day, UTC"),
)


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
        np.where(seen.last_purchase > 0, np.maximum(clicks.ts - seen.last_purchase, 0), 0) / 1000,
        seen.last_purchase > 0,
        np.maximum(clicks.ts - first_seen, 0) / 1000,
        1 + np.sin(angle),
        1 + np.cos(angle),
    )
    for index, column in enumerate(rest, start=2 * types):
        out[index] = column
    return np.ascontiguousarray(out.T)
