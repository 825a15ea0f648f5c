"""The catalogue of what the risk model sees at an order: each feature once, with its unit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import Feature
from app.state.order_log import WINDOW_NAMES, OrderLog
from app.state.rows import MONEY_SCALE

_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
_DAY = WINDOW_NAMES.index("24h")
Ints = NDArray[np.int64]

ORDER_FEATURES: tuple[Feature, ...] = (
    Feature("amount", "major units", "the order's value"),
    *(Feature(f"orders_{w}", "orders", f"the user's orders in {w}, this one included", w) for w in WINDOW_NAMES),
    *(Feature(f"spent_{w}", "major units", f"their value in {w}, this one included", w) for w in WINDOW_NAMES),
    *(Feature(f"mean_{w}", "major units", f"their mean value in {w}", w) for w in WINDOW_NAMES[_DAY:]),
    Feature(
        "amount_over_mean_30d", "ratio", "this value over the mean of the orders before it in 30 d, 1 if none", "30d"
    ),
    Feature("amount_deviations_30d", "standard deviations", "this value's distance above that mean, 0 if below", "30d"),
    Feature("since_order_seconds", "s", "since the user's order before, 0 if none in 30 d", "30d"),
    Feature("has_ordered", "0 or 1", "the user ordered in the 30 d before", "30d"),
    Feature("hour", "h", "hour of the day, UTC"),
    Feature("time_of_day", "h", "since midnight, UTC"),
    Feature("is_weekend", "0 or 1", "Saturday or Sunday, UTC"),
    Feature("is_night", "0 or 1", "before 06:00 UTC"),
    Feature("known_frauds", "labels", "the user's frauds known by now"),
    Feature("since_fraud_seconds", "s", "since the latest became known, 0 if none"),
    Feature("account_age_seconds", "s", "since the account was created, 0 if unknown"),
    Feature("has_account_age", "0 or 1", "the order says when the account was created"),
    Feature("countries_differ", "0 or 1", "billing and shipping country are given and differ"),
    Feature("session_events", "clicks", "clicks of the session the order belongs to, 0 if none is open"),
    Feature("session_seconds", "s", "since that session's first click"),
    Feature("session_cart_value", "major units", "value in the cart"),
    Feature("session_failed_logins", "clicks", "failed logins in that session"),
    Feature("session_account_changes", "clicks", "changes of password or address in that session"),
)

_ITSELF = {"amount", "hour", "time_of_day", "is_weekend", "is_night"}
"""What the order itself tells; the others are its history."""
_IS_ITSELF = np.array([feature.name in _ITSELF for feature in ORDER_FEATURES])


class OrderSession(NamedTuple):
    """What is known of an order's session; all zero if none is open."""

    events: int
    started_at: int  # ms
    cart: int  # 1e-4 major units
    failed_logins: int
    account_changes: int


class OrderFacts(NamedTuple):
    """What is known at one order besides its log; times in ms."""

    ts: int
    amount: int  # 1e-4 major units
    known_frauds: int
    last_fraud: int
    account_created: int | None
    countries_differ: bool
    session: OrderSession


def order_features(amount: Ints, ts: Ints, history: Sequence[Sequence[float]] | None) -> NDArray[np.float32]:
    """What is known of orders [n, features], in the order of ``ORDER_FEATURES``.

    Args:
        amount: in 1e-4 major units [n].
        ts: event times in ms [n].
        history: what `order_history` tells of each; None: nobody looked, and it is NaN.
    """
    time_of_day, weekday = ts % _DAY_MS, (ts // _DAY_MS + 3) % 7
    hour, is_night = time_of_day // _HOUR_MS, time_of_day < 6 * _HOUR_MS
    found = np.full((len(ts), len(ORDER_FEATURES)), np.nan, np.float32)
    found[:, _IS_ITSELF] = np.column_stack((amount / MONEY_SCALE, hour, time_of_day / _HOUR_MS, weekday >= 5, is_night))
    if history:
        found[:, ~_IS_ITSELF] = history
    return found


def order_history(log: OrderLog, facts: OrderFacts) -> list[float]:
    """What is known of an order's user and session, in the order of ``ORDER_FEATURES``; it is already in the log."""
    counts, amounts = log.windows(facts.ts)
    mean, deviation, latest = log.before(facts.ts)
    created, session = facts.account_created, facts.session
    means = [amount / count if count else 0 for amount, count in zip(amounts, counts, strict=True)][_DAY:]
    return [
        *counts,
        *(amount / MONEY_SCALE for amount in amounts),
        *(amount / MONEY_SCALE for amount in means),
        facts.amount / mean if mean else 1.0,
        max(0.0, (facts.amount - mean) / deviation) if deviation else 0.0,
        max(0, facts.ts - latest) / 1000 if latest else 0.0,
        float(latest > 0),
        facts.known_frauds,
        max(0, facts.ts - facts.last_fraud) / 1000 if facts.last_fraud else 0.0,
        max(0, facts.ts - created) / 1000 if created is not None else 0.0,
        float(created is not None),
        float(facts.countries_differ),
        session.events,
        max(0, facts.ts - session.started_at) / 1000 if session.events else 0.0,
        max(0, session.cart) / MONEY_SCALE,
        session.failed_logins,
        session.account_changes,
    ]
