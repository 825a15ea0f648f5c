"""Google Analytics 4 events as the fields of a `Click`."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from schemas.vendors.common import Scalar, click_fields, click_type, read

_SOURCE: Final = "GA4 event"
_NAMESPACE: Final = UUID("5b8f2a5e-7c1f-5d0e-9a44-0d6b6c1f5e27")


class _Value(Struct):
    string_value: str | None = None
    int_value: int | None = None
    float_value: float | None = None
    double_value: float | None = None


class _Parameter(Struct):
    key: str
    value: _Value


class _Ga4Item(Struct):
    item_id: Scalar = None
    item_category: str | None = None
    item_brand: str | None = None
    price: float | None = None
    quantity: int | None = None


class _Parameters(Struct):
    currency: str | None = None
    search_term: str | None = None
    transaction_id: Scalar = None
    ga_session_id: Scalar = None
    session_id: Scalar = None
    page_location: str | None = None
    page_referrer: str | None = None
    language: str | None = None
    items: list[_Ga4Item] | None = None


class _Ga4Device(Struct):
    language: str | None = None


class _Ga4Event(Struct):
    event_name: str | None = None
    name: str | None = None
    event_timestamp: int | None = None
    timestamp_micros: int | None = None
    user_pseudo_id: Scalar = None
    client_id: Scalar = None
    user_id: Scalar = None
    event_params: list[_Parameter] | dict[str, Any] | None = None
    params: dict[str, Any] | None = None
    items: list[_Ga4Item] | None = None
    device: _Ga4Device | None = None


def from_ga4(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `Click` from a Google Analytics 4 event.

    Takes rows of the BigQuery export (`event_name`, `event_timestamp` in µs, `event_params` as a list) and
    events of the Measurement Protocol (`name`, `params`) with the `client_id`, `user_id` and
    `timestamp_micros` of their request put beside them. GA4 has no event ids, so one is made from the whole
    event: UUIDv5 of its sorted JSON.

    Raises ValueError, saying what was found and where, for unknown names and malformed events.
    """
    given = read(event, _Ga4Event, _SOURCE)
    parameters = _parameters(given)
    items = given.items or parameters.items
    item = items[0] if items else _Ga4Item()
    visitor = given.user_pseudo_id or given.client_id
    fields = {
        "event_id": str(uuid5(_NAMESPACE, msgspec.json.encode(event, order="sorted").decode())),
        "type": click_type(given.event_name or given.name or "", _SOURCE),
        "ts": _from_micros(given),
        "user_id": given.user_id,
        "anonymous_id": visitor,
        "session_id": _ga4_session(visitor or given.user_id, parameters),
        "locale": parameters.language or (given.device.language if given.device else None),
        "product_id": item.item_id,
        "category": item.item_category,
        "brand": item.item_brand,
        "price": item.price,
        "currency": parameters.currency,
        "quantity": item.quantity,
        "query": parameters.search_term,
        "order_id": parameters.transaction_id,
        "url": parameters.page_location,
        "referrer": parameters.page_referrer,
    }
    return click_fields(fields, _SOURCE)


def _parameters(event: _Ga4Event) -> _Parameters:
    given = event.event_params if event.event_params is not None else event.params
    if isinstance(given, list):
        given = {parameter.key: _first_set(parameter.value) for parameter in given}
    return read(given or {}, _Parameters, f"{_SOURCE} parameters")


def _first_set(value: _Value) -> str | int | float | None:
    choices = (value.string_value, value.int_value, value.float_value, value.double_value)
    return next((choice for choice in choices if choice is not None), None)


def _from_micros(event: _Ga4Event) -> int:
    micros = event.event_timestamp if event.event_timestamp is not None else event.timestamp_micros
    if micros is None:
        raise ValueError(f"{_SOURCE}: no time - at `$.event_timestamp` or `$.timestamp_micros` (µs)")
    return micros // 1_000


def _ga4_session(visitor: Scalar, parameters: _Parameters) -> str | None:
    """GA4 numbers sessions by their start time, so a number is unique for one visitor only."""
    number = parameters.ga_session_id or parameters.session_id
    return f"{visitor}.{number}" if visitor and number else None
