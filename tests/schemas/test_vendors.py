"""Whole events of Segment and GA4 become clicks, or say what is wrong with them."""

from typing import Any

import msgspec
import pytest

from schemas.events import Click
from schemas.vendors import from_ga4, from_segment

TRACK: dict[str, Any] = {
    "type": "track",
    "event": "Product Viewed",
    "messageId": "ajs-1",
    "timestamp": "2025-11-25T10:00:00.123Z",
    "userId": "u-1",
    "anonymousId": "a-1",
    "properties": {"product_id": "p-1", "category": "shoes", "brand": "Li-Ning", "price": 19.9, "currency": "USD"},
    "context": {
        "ip": "203.0.113.7",
        "userAgent": "Mozilla/5.0",
        "locale": "en-GB",
        "page": {"url": "https://shop.example/p-1", "referrer": "https://shop.example/"},
        "device": {"id": "d-1"},
        "library": {"name": "analytics.js"},
    },
}
EXPORT: dict[str, Any] = {
    "event_name": "view_item",
    "event_timestamp": 1_764_064_800_123_456,
    "user_pseudo_id": "1234.5678",
    "user_id": "u-1",
    "event_params": [
        {"key": "ga_session_id", "value": {"int_value": 1_764_064_000}},
        {"key": "currency", "value": {"string_value": "EUR"}},
        {"key": "page_location", "value": {"string_value": "https://shop.example/p-1"}},
        {"key": "engagement_time_msec", "value": {"int_value": 12}},
    ],
    "items": [{"item_id": "p-1", "item_brand": "Li-Ning", "item_category": "shoes", "price": 19.5, "quantity": 2}],
    "device": {"language": "en-gb"},
}


def test_a_segment_call_becomes_a_click() -> None:
    assert msgspec.convert(from_segment(TRACK), Click) == Click(
        event_id="ajs-1",
        type="product_viewed",
        ts=1_764_064_800_123,
        user_id="u-1",
        anonymous_id="a-1",
        device_id="d-1",
        ip="203.0.113.7",
        user_agent="Mozilla/5.0",
        locale="en-GB",
        product_id="p-1",
        category="shoes",
        brand="Li-Ning",
        price=19.9,
        currency="USD",
        url="https://shop.example/p-1",
        referrer="https://shop.example/",
    )


@pytest.mark.parametrize("call", ["page", "screen"])
def test_a_page_call_needs_no_event_name(call: str) -> None:
    page = {**TRACK, "type": call, "event": None, "name": "Home", "properties": {"url": "https://shop.example/home"}}
    click = from_segment(page)
    assert (click["type"], click["url"]) == ("page_viewed", "https://shop.example/home")


def test_of_several_products_the_first_is_taken() -> None:
    products = [{"product_id": "p-1", "price": 5, "quantity": 2}, {"product_id": "p-2", "price": 7}]
    completed = {**TRACK, "event": "Order Completed", "properties": {"order_id": "o-1", "products": products}}
    click = from_segment(completed)
    assert (click["product_id"], click["price"], click["quantity"], click["order_id"]) == ("p-1", 5.0, 2, "o-1")


def test_numbers_as_text_and_ids_as_numbers_are_read() -> None:
    loose = {**TRACK, "userId": 42, "properties": {"sku": 7, "price": "19.90", "quantity": "3"}}
    click = from_segment(loose)
    assert (click["user_id"], click["product_id"], click["price"], click["quantity"]) == ("42", "7", 19.9, 3)


@pytest.mark.parametrize(
    ("timestamp", "ts"),
    [
        ("2025-11-25T10:00:00Z", 1_764_064_800_000),
        ("2025-11-25T18:00:00+08:00", 1_764_064_800_000),
        ("2025-11-25T10:00:00.999999Z", 1_764_064_800_999),
        ("2025-11-25T10:00:00", 1_764_064_800_000),
    ],
)
def test_times_become_milliseconds_utc(timestamp: str, ts: int) -> None:
    assert from_segment({**TRACK, "timestamp": timestamp})["ts"] == ts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messageId": None}, r"got `null` - at `\$.messageId`"),
        ({"timestamp": "yesterday"}, r"datetime - at `\$.timestamp`"),
        ({"timestamp": "1970-01-01T00:00:00Z"}, r"as a click: .* - at `\$.ts`"),
        ({"type": "identify"}, r"'identify' - at `\$.type`"),
        ({"event": None}, r"without a name - at `\$.event`"),
        ({"event": "Product Shared"}, "unknown event name 'Product Shared'"),
        ({"event": "Order Placed"}, "unknown event name 'Order Placed'"),
        ({"userId": "", "anonymousId": None}, "no identifier of the visitor"),
        ({"properties": {"price": "cheap"}}, r"got `str` - at `\$.properties.price`"),
        ({"properties": {"price": -1}}, r">= 0.0 - at `\$.price`"),
        ({"properties": {"price": float("nan")}}, "price nan is not finite"),
        ({"properties": {"products": [{"quantity": []}]}}, r"at `\$.properties.products\[0\].quantity`"),
        ({"properties": {"query": "q" * 513}}, r"length <= 512 - at `\$.query`"),
    ],
)
def test_a_bad_segment_call_says_what_and_where(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^Segment envelope.*{message}"):
        from_segment(TRACK | change)


def test_a_row_of_the_ga4_export_becomes_a_click() -> None:
    click = from_ga4(EXPORT)
    assert click.pop("event_id")
    assert click == {
        "type": "product_viewed",
        "ts": 1_764_064_800_123,
        "user_id": "u-1",
        "anonymous_id": "1234.5678",
        "session_id": "1234.5678.1764064000",
        "locale": "en-gb",
        "product_id": "p-1",
        "category": "shoes",
        "brand": "Li-Ning",
        "price": 19.5,
        "currency": "EUR",
        "quantity": 2,
        "url": "https://shop.example/p-1",
    }


def test_a_measurement_protocol_event_becomes_a_click() -> None:
    sent = {
        "name": "search",
        "client_id": "c-1",
        "timestamp_micros": "1764064800123456",
        "params": {"search_term": "白色 羽绒服", "session_id": 17, "items": []},
    }
    click = from_ga4(sent)
    assert (click["type"], click["query"], click["session_id"]) == ("products_searched", "白色 羽绒服", "c-1.17")
    assert click["ts"] == 1_764_064_800_123


def test_ga4_ids_are_made_from_the_event_whatever_its_order() -> None:
    shuffled = dict(reversed(EXPORT.items()))
    later = EXPORT | {"event_timestamp": EXPORT["event_timestamp"] + 1}
    assert from_ga4(shuffled)["event_id"] == from_ga4(EXPORT)["event_id"]
    assert from_ga4(later)["event_id"] != from_ga4(EXPORT)["event_id"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_name": "user_engagement"}, "unknown event name 'user_engagement'"),
        ({"event_name": None}, "unknown event name ''"),
        ({"event_timestamp": None}, r"no time - at `\$.event_timestamp`"),
        ({"event_timestamp": 1_764_064_800}, r"as a click: .* - at `\$.ts`"),
        ({"user_id": None, "user_pseudo_id": None}, "no identifier of the visitor"),
        ({"event_params": [{"key": "currency"}]}, r"`value` - at `\$.event_params\[0\]`"),
        ({"event_params": {"currency": 5}}, r"parameters: .* - at `\$.currency`"),
        ({"items": [{"price": "cheap"}]}, r"at `\$.items\[0\].price`"),
    ],
)
def test_a_bad_ga4_event_says_what_and_where(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^GA4 event.*{message}"):
        from_ga4(EXPORT | change)
