"""Organised fraud, on request: what its visits have in common can be seen in their events."""

from collections import Counter, defaultdict
from functools import cache

import msgspec

from app.replay.shop import Shop, Truth
from app.replay.shop.shop import ALL_PATTERNS
from schemas.events import Click, InputEvent, Label, Order
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

TYPES: dict[str, type[InputEvent]] = {CLICKSTREAM: Click, ORDERS: Order, LABELS: Label}


@cache
def orders() -> list[tuple[Order, Truth]]:
    return [(event, truth) for event, truth in told() if isinstance(event, Order)]


@cache
def told() -> list[tuple[InputEvent, Truth]]:
    shop = Shop(
        7, users=3_000, events_per_second=30, events=40_000, patterns=ALL_PATTERNS, fraud_share=0.05, terminals=100
    )
    return [
        (msgspec.json.decode(value, type=TYPES[topic]), truth)
        for batch in shop
        for topic, value, truth in zip(batch.recorded.topics, batch.recorded.values, batch.truths, strict=True)
    ]


def of(pattern: str) -> list[Order]:
    found = [order for order, truth in orders() if truth.pattern == pattern]
    assert found, pattern
    return found


def test_rings_and_coupon_hunters_open_many_accounts_on_one_device() -> None:
    for pattern in ("ring", "promotion_abuse"):
        accounts = defaultdict(set)
        for order in of(pattern):
            accounts[order.device_id].add(order.user_id)
        assert max(map(len, accounts.values())) >= 6
        assert all(
            order.account_created_ts and order.ts - order.account_created_ts < 3_600_000 for order in of(pattern)
        )
    addresses = defaultdict(set)
    for order in of("ring"):
        addresses[order.device_id].add(order.shipping_address_hash)
    assert all(len(places) == 1 for places in addresses.values())


def test_copied_cards_are_used_at_few_terminals() -> None:
    assert {order.merchant_id for order in of("compromised_terminal")} == {"terminal-0", "terminal-1"}
    honest = Counter(order.merchant_id for order, truth in orders() if not truth.fraud)
    assert len(honest) > 80


def test_bots_read_hundreds_of_products_and_buy_nothing() -> None:
    views: dict[str | None, list[int]] = defaultdict(list)
    for event, _ in told():
        if isinstance(event, Click) and event.type == "product_viewed":
            views[event.session_id].append(event.ts)
    bots = [times for times in views.values() if len(times) >= 150]
    assert bots
    assert all((times[-1] - times[0]) / len(times) < 1_000 for times in bots)
    assert not any(truth.pattern == "scraping" for _, truth in orders())
    assert sum(truth.pattern == "scraping" for _, truth in told()) == sum(map(len, bots))


def test_every_pattern_of_orders_is_there_and_called_fraud() -> None:
    assert {truth.pattern for _, truth in orders() if truth.fraud} == ALL_PATTERNS.keys() - {"scraping"}
    assert not any(truth.pattern for _, truth in orders() if not truth.fraud)
