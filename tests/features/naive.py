"""What each click and order should see, one event after another in plain Python: slow, and easy to believe."""

from dataclasses import dataclass, field
from math import cos, pi, sin

from xxhash import xxh3_64_intdigest

from schemas.events import CLICK_TYPES
from tests.harness import DAY, LIVES

WINDOWS = {"10m": 600_000, "1h": 3_600_000, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}


@dataclass(frozen=True)
class Event:
    """A click, or an order where ``type`` is None; ``ts`` in ms, ``price`` in major units."""

    user: str
    ts: int
    type: str | None
    product: str | None = None
    category: str | None = None
    price: float | None = None
    quantity: int | None = None


@dataclass
class Session:
    started: int = 0
    latest: int = 0
    types: list[str] = field(default_factory=list)
    products: list[str] = field(default_factory=list)
    categories: set[str] = field(default_factory=set)
    cart: int = 0

    def left_cart(self) -> bool:
        return "product_added" in self.types and "order_completed" not in self.types


@dataclass
class History:
    first: int
    latest: int = 0
    sessions: list[Session] = field(default_factory=list)
    purchases: list[int] = field(default_factory=list)
    adds: list[int] = field(default_factory=list)
    orders: list[tuple[int, int]] = field(default_factory=list)


def _bucket(name: str | None, most: int) -> int:
    return 0 if name is None else 1 + xxh3_64_intdigest(name.encode()) % most


class NaiveFeatures:
    """Histories by user."""

    def __init__(self) -> None:
        self._histories: dict[str, History] = {}

    def see(self, event: Event) -> dict[str, float]:
        """The features of the next event."""
        history = self._histories.get(event.user)
        if history is None or event.ts - history.latest > LIVES.history_ms:
            history = self._histories[event.user] = History(first=event.ts)
        history.latest = max(history.latest, event.ts)
        return self._order(history, event) if event.type is None else self._click(history, event, event.type)

    def _click(self, history: History, event: Event, type_: str) -> dict[str, float]:
        gap = max(0, event.ts - history.sessions[-1].latest) if history.sessions else 0
        new = not history.sessions or event.ts - history.sessions[-1].latest > LIVES.gap_ms
        if new:
            history.sessions.append(Session(event.ts, event.ts))
        session = history.sessions[-1]
        repeated = event.product is not None and event.product in session.products
        session.latest = max(session.latest, event.ts)
        session.types.append(type_)
        if event.product is not None:
            session.products.append(event.product)
        if event.category is not None:
            session.categories.add(event.category)
        amount = round((event.price or 0) * (1 if event.quantity is None else event.quantity) * 10_000)
        if type_ == "order_completed":
            session.cart = 0
            history.purchases.append(event.ts)
        if type_ == "product_added":
            history.adds.append(event.ts)
        session.cart += {"product_added": amount, "product_removed": -amount}.get(type_, 0)
        all_types = [one for session in history.sessions for one in session.types]
        angle = event.ts % DAY * 2 * pi / DAY
        return {
            **{f"is_{name}": name == type_ for name in CLICK_TYPES},
            **{f"{name}_count": session.types.count(name) for name in CLICK_TYPES},
            "session_events": len(session.types),
            "session_seconds": max(0, event.ts - session.started) / 1000,
            "gap_seconds": gap / 1000,
            "is_new_session": new,
            "distinct_items": len(set(session.products)),
            "repeated_items": len(session.products) - len(set(session.products)),
            "is_repeated_item": repeated,
            "distinct_categories": len(session.categories),
            "cart_value": max(0, session.cart) / 10_000,
            "cart_items": max(0, session.types.count("product_added") - session.types.count("product_removed")),
            "price": event.price or 0,
            "has_price": (event.price or 0) > 0,
            "user_sessions": len(history.sessions),
            "user_clicks": len(all_types),
            "user_adds": all_types.count("product_added"),
            "user_purchases": len(history.purchases),
            "user_abandoned_carts": sum(session.left_cart() for session in history.sessions[:-1]),
            "since_purchase_seconds": max(0, event.ts - max(history.purchases)) / 1000 if history.purchases else 0,
            "has_purchased": bool(history.purchases),
            "since_add_seconds": max(0, event.ts - max(history.adds)) / 1000 if history.adds else 0,
            "has_added": bool(history.adds),
            "known_seconds": max(0, event.ts - history.first) / 1000,
            "hour_sine": 1 + sin(angle),
            "hour_cosine": 1 + cos(angle),
            "product_bucket": _bucket(event.product, 8_191),
            "category_bucket": _bucket(event.category, 4_095),
        }

    def _order(self, history: History, event: Event) -> dict[str, float]:
        amount = round((event.price or 0) * 10_000)
        before = [(ts, value) for ts, value in history.orders if event.ts - WINDOWS["30d"] < ts <= event.ts]
        history.orders.append((event.ts, amount))
        seen = {
            name: [value for ts, value in history.orders if event.ts - length < ts <= event.ts]
            for name, length in WINDOWS.items()
        }
        session = history.sessions[-1] if history.sessions else None
        if session is not None and abs(event.ts - session.latest) > LIVES.gap_ms:
            session = None
        types = session.types if session else []
        mean = sum(value for _, value in before) / len(before) if before else 0
        spread = sum((value - mean) ** 2 for _, value in before) / len(before) if before else 0
        return {
            "amount": amount / 10_000,
            **{f"orders_{name}": len(values) for name, values in seen.items()},
            **{f"spent_{name}": sum(values) / 10_000 for name, values in seen.items()},
            **{f"mean_{name}": sum(seen[name]) / len(seen[name]) / 10_000 for name in ("24h", "7d", "30d")},
            "amount_over_mean_30d": amount / mean if mean else 1,
            "amount_deviations_30d": max(0, (amount - mean) / spread**0.5) if spread > 1e-9 else 0,
            "since_order_seconds": (event.ts - max(ts for ts, _ in before)) / 1000 if before else 0,
            "has_ordered": bool(before),
            "session_events": len(types),
            "session_seconds": max(0, event.ts - session.started) / 1000 if session else 0,
            "session_cart_value": max(0, session.cart) / 10_000 if session else 0,
            "session_failed_logins": types.count("login_failed"),
            "session_account_changes": types.count("password_changed") + types.count("address_changed"),
        }
