"""Segment's calls (RudderStack and PostHog send the same) as the fields of a `Click`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from schemas.vendors.common import Scalar, click_fields, click_type, read

_SOURCE: Final = "Segment envelope"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Product(Struct):
    product_id: Scalar = None
    sku: Scalar = None
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    quantity: int | None = None


class _Properties(_Product):
    products: list[_Product] | None = None
    currency: str | None = None
    query: str | None = None
    message: str | None = None
    order_id: Scalar = None
    url: str | None = None
    referrer: str | None = None


class _Page(Struct):
    url: str | None = None
    referrer: str | None = None


class _Device(Struct):
    id: Scalar = None


class _Context(Struct, rename="camel"):
    ip: str | None = None
    user_agent: str | None = None
    locale: str | None = None
    session_id: Scalar = None
    page: _Page | None = None
    device: _Device | None = None


class _Envelope(Struct, rename="camel"):
    message_id: str
    timestamp: datetime
    type: str = "track"
    event: str | None = None
    user_id: Scalar = None
    anonymous_id: Scalar = None
    properties: _Properties | None = None
    context: _Context | None = None


def from_segment(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `Click` from a Segment `track`, `page` or `screen` call.

    Raises ValueError, saying what was found and where, for other calls, unknown events and malformed
    envelopes.
    """
    call = read(envelope, _Envelope, _SOURCE)
    properties = call.properties or _Properties()
    context = call.context or _Context()
    page = context.page or _Page()
    product = properties.products[0] if properties.products else properties
    fields = {
        "event_id": call.message_id,
        "type": click_type(_segment_name(call), _SOURCE),
        "ts": _millis(call.timestamp),
        "user_id": call.user_id,
        "anonymous_id": call.anonymous_id,
        "session_id": context.session_id,
        "device_id": context.device.id if context.device else None,
        "ip": context.ip,
        "user_agent": context.user_agent,
        "locale": context.locale,
        "product_id": product.product_id or product.sku,
        "category": product.category,
        "brand": product.brand,
        "price": product.price,
        "currency": properties.currency,
        "quantity": product.quantity,
        "query": properties.query,
        "message": properties.message,
        "order_id": properties.order_id,
        "url": properties.url or page.url,
        "referrer": properties.referrer or page.referrer,
    }
    return click_fields(fields, _SOURCE)


def _segment_name(call: _Envelope) -> str:
    if call.type in ("page", "screen"):
        return call.type
    if call.type != "track":
        raise ValueError(f"{_SOURCE}: call type {call.type!r} - at `$.type`; only track, page and screen are events")
    if not call.event:
        raise ValueError(f"{_SOURCE}: a track call without a name - at `$.event`")
    return call.event


def _millis(moment: datetime) -> int:
    """Take times without a zone as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)
