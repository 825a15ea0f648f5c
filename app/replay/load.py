"""Clicks and orders for benchmarks: any number of them, from a seed, faster than a worker can eat them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from app.replay.encoding import recorded
from app.replay.recorded import RecordedBatch, joined
from app.replay.sessions import Placed, Sessions
from schemas.topics import CLICKSTREAM, ORDERS

Integers = npt.NDArray[np.int64]

ZIPF_EXPONENT = 1.0
"""Zipf's law as it is: with 50,000 users the busiest one makes 9 % of the events."""

_ORDER_EVERY = 21
"""2,000 clicks to 100 orders."""
_SCRIPTS, _SCRIPT_LENGTH = 256, 64
_PRODUCTS = 20_000

# What a visitor does next: the chance of each following action.
_NEXT = {
    "page_viewed": {"products_searched": 0.4, "product_list_viewed": 0.4, "product_viewed": 0.2},
    "products_searched": {"product_list_viewed": 0.3, "product_clicked": 0.5, "products_searched": 0.2},
    "product_list_viewed": {"product_clicked": 0.6, "product_viewed": 0.2, "page_viewed": 0.2},
    "product_clicked": {"product_viewed": 1.0},
    "product_viewed": {
        "product_viewed": 0.45,
        "product_list_viewed": 0.25,
        "product_added": 0.15,
        "product_added_to_wishlist": 0.05,
        "products_searched": 0.1,
    },
    "product_added_to_wishlist": {"product_viewed": 0.7, "product_list_viewed": 0.3},
    "product_added": {"cart_viewed": 0.5, "product_viewed": 0.4, "product_removed": 0.1},
    "product_removed": {"product_viewed": 0.6, "cart_viewed": 0.4},
    "cart_viewed": {"checkout_started": 0.5, "product_viewed": 0.5},
    "checkout_started": {"payment_info_entered": 0.7, "cart_viewed": 0.3},
    "payment_info_entered": {"order_completed": 0.8, "checkout_started": 0.2},
    "order_completed": {"page_viewed": 1.0},
}
_WITHOUT_PRODUCT = [
    "page_viewed",
    "products_searched",
    "cart_viewed",
    "checkout_started",
    "payment_info_entered",
]
_CATEGORIES = [
    "shoes",
    "coats",
    "phones",
    "laptops",
    "books",
    "toys",
    "kitchen",
    "garden",
    "羽绒服",
    "手机",
    "童装",
    "家电",
]
_BRANDS = ["acme", "northwind", "globex", "initech", "umbra", "huashan", "lanting", "qingmu"]
_QUERIES = [
    "running shoes",
    "black winter coat under 200",
    "usb c charger",
    "白色 羽绒服",
    "500元左右的手机",
    "儿童 书包",
]
_AGENTS = ["Mozilla/5.0 (iPhone) Mobile", "Mozilla/5.0 (Windows NT 10.0)", "Mozilla/5.0 (Linux; Android 14)"]
_LOCALES = ["en-GB", "zh-CN", "en-US", "de-DE"]


def load(
    events: int,
    users: int = 50_000,
    seed: int = 0,
    *,
    start_ts: int = 1_760_000_000_000,
    events_per_second: float = 2_100,
    zipf_exponent: float = ZIPF_EXPONENT,
    batch_rows: int = 8_192,
) -> Iterator[RecordedBatch]:
    """`events` clicks and orders (one in 21), `events_per_second` of event time apart, from `start_ts` in ms.

    Which user acts is drawn by rank ** -zipf_exponent over a shuffled list of users. A click has about 350
    bytes. The same arguments give the same bytes, however they are batched.
    """
    rng = np.random.default_rng(seed)
    weights = np.arange(1, users + 1) ** -zipf_exponent
    cumulated = np.cumsum(weights) / weights.sum()
    by_rank = rng.permutation(users)
    shop = Shop.opened(users, seed, rng)
    for first in range(0, events, batch_rows):
        index = np.arange(first, min(first + batch_rows, events), dtype=np.int64)
        rank = np.searchsorted(cumulated, rng.random(len(index)), side="right")
        user = by_rank[np.minimum(rank, users - 1)]
        yield shop.batch(index, start_ts + (index * (1000 / events_per_second)).astype(np.int64), user)


def top_user_share(users: int, zipf_exponent: float = ZIPF_EXPONENT) -> float:
    """The share of all events, 0 to 1, that the busiest user makes."""
    return float(1 / (np.arange(1, users + 1) ** -zipf_exponent).sum())


@dataclass(frozen=True)
class Shop:
    """What stays the same while events are made; only `sessions` moves on."""

    seed: int
    scripts: pl.Series
    users: pl.DataFrame
    products: pl.DataFrame
    sessions: Sessions

    @classmethod
    def opened(cls, users: int, seed: int, rng: np.random.Generator) -> "Shop":
        """A shop before its first event; `rng` draws its scripts and products, `seed` is part of its events' ids."""
        return cls(
            seed=seed,
            scripts=_written_scripts(rng),
            users=_user_columns(users),
            products=_product_columns(rng),
            sessions=Sessions(users),
        )

    def batch(self, index: Integers, ts: Integers, user: Integers) -> RecordedBatch:
        """The next events [n]: their numbers, times (ms, must not fall) and who acts (from 0)."""
        facts = self._facts(index, ts, user, self.sessions.place(user, ts))
        ordered = index % _ORDER_EVERY == _ORDER_EVERY - 1
        parts = [
            recorded(_clicks(facts.filter(~ordered)), ts[~ordered]),
            recorded(_orders(facts.filter(ordered)), ts[ordered]),
        ]
        back = np.argsort(np.r_[np.flatnonzero(~ordered), np.flatnonzero(ordered)])
        return joined(parts).take(back.tolist())

    def _facts(self, index: Integers, ts: Integers, user: Integers, placed: Placed) -> pl.DataFrame:
        """One row per event: who, when, in which session, doing what, with which product."""
        script = (user * 31 + placed.session * 17) % _SCRIPTS
        product = (user * 7919 + placed.session * 104_729 + placed.position // 3 * 613) % _PRODUCTS
        event = pl.DataFrame({"index": index, "ts": ts, "session": placed.session}).with_columns(
            event_id=pl.format("load-{}-{}", pl.lit(self.seed), "index"),
            type=self.scripts.gather(script * _SCRIPT_LENGTH + placed.position % _SCRIPT_LENGTH),
        )
        return pl.concat([event, self.users[user], self.products[product]], how="horizontal")


def _written_scripts(rng: np.random.Generator) -> pl.Series:
    """Walks through the shop, one after the other; each begins with a page view."""
    written: list[str] = []
    for _ in range(_SCRIPTS):
        action = "page_viewed"
        for _ in range(_SCRIPT_LENGTH):
            written.append(action)
            following = _NEXT[action]
            action = str(rng.choice(list(following), p=list(following.values())))
    return pl.Series(written)


def _user_columns(users: int) -> pl.DataFrame:
    number = pl.int_range(users, eager=True)
    return pl.DataFrame({"user": number}).select(
        user_id=pl.format("user-{}", "user"),
        device_id=pl.format("device-{}", pl.col("user") * 7 % users),
        ip=pl.format("10.{}.{}.{}", pl.col("user") // 65_536, pl.col("user") // 256 % 256, pl.col("user") % 256),
        user_agent=pl.Series(_AGENTS).gather(number % len(_AGENTS)),
        locale=pl.Series(_LOCALES).gather(number % len(_LOCALES)),
        card_hash=pl.format("card-{}", pl.col("user") * 13 % users),
        account_created_ts=1_600_000_000_000 + pl.col("user") * 1_000_003,
    )


def _product_columns(rng: np.random.Generator) -> pl.DataFrame:
    number = pl.int_range(_PRODUCTS, eager=True)
    return pl.DataFrame({"product": number}).select(
        product_id=pl.format("product-{}", "product"),
        category=pl.Series(_CATEGORIES).gather(number % len(_CATEGORIES)),
        brand=pl.Series(_BRANDS).gather(number // 7 % len(_BRANDS)),
        price=pl.Series(np.round(np.exp(rng.normal(3.5, 0.9, _PRODUCTS)) + 1, 2)),
        query=pl.Series(_QUERIES).gather(number % len(_QUERIES)),
    )


def _clicks(facts: pl.DataFrame) -> pl.DataFrame:
    shown = ~pl.col("type").is_in(_WITHOUT_PRODUCT)
    return facts.select(
        "event_id",
        "type",
        "ts",
        "user_id",
        session_id=pl.format("{}-{}", "user_id", "session"),
        device_id="device_id",
        ip="ip",
        user_agent="user_agent",
        locale="locale",
        product_id=pl.when(shown).then("product_id"),
        category=pl.when(shown).then("category"),
        brand=pl.when(shown).then("brand"),
        price=pl.when(shown).then("price"),
        currency=pl.when(shown).then(pl.lit("EUR")),
        query=pl.when(pl.col("type") == "products_searched").then("query"),
        url=pl.format("https://shop.example/{}", "type"),
        topic=pl.lit(CLICKSTREAM),
    )


def _orders(facts: pl.DataFrame) -> pl.DataFrame:
    return facts.select(
        event_id="event_id",
        type=pl.lit("order_placed"),
        ts="ts",
        user_id="user_id",
        session_id=pl.format("{}-{}", "user_id", "session"),
        device_id="device_id",
        ip="ip",
        order_id=pl.format("order-{}", "event_id"),
        value="price",
        currency=pl.lit("EUR"),
        payment_method=pl.lit("card"),
        card_hash="card_hash",
        merchant_id=pl.lit("shop"),
        billing_country=pl.col("locale").str.slice(3),
        shipping_country=pl.col("locale").str.slice(3),
        account_created_ts="account_created_ts",
        topic=pl.lit(ORDERS),
    )
