"""What an input event may be, and what is refused."""

import inspect
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import events
from schemas.events import (
    CLICK_CODES,
    CLICK_TYPES,
    END_TS,
    LABELS,
    ORDER_TYPES,
    Click,
    InputEvent,
    Label,
    Order,
    visitor,
)
from tests.schemas.strategies import clicks, labels, orders, plain_json, unhurried

CLICK: dict[str, Any] = {"event_id": "e-1", "type": "product_viewed", "ts": 1_764_064_800_000, "user_id": "u-1"}
ORDER: dict[str, Any] = {**CLICK, "type": "order_placed", "order_id": "o-1", "value": 10.5, "currency": "EUR"}
LABEL: dict[str, Any] = {"event_id": "e-1", "ts": 1_764_064_800_000, "label": "fraud", "order_id": "o-1"}
VALID: dict[type[InputEvent], dict[str, Any]] = {Click: CLICK, Order: ORDER, Label: LABEL}


def decode(struct: type[InputEvent], value: object) -> InputEvent:
    return msgspec.json.decode(json.dumps(value).encode(), type=struct)


@unhurried
@given(event=clicks | orders | labels)
def test_an_event_survives_the_wire(event: InputEvent) -> None:
    assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event


@unhurried
@given(batch=st.lists(clicks, max_size=5))
def test_a_joined_batch_decodes_to_the_same_clicks(batch: list[Click]) -> None:
    joined = b"[" + b",".join(msgspec.json.encode(click) for click in batch) + b"]"
    assert msgspec.json.decode(joined, type=list[Click]) == batch


@unhurried
@given(event=clicks | orders | labels, unknown=st.dictionaries(st.text("xyz", min_size=1), plain_json))
def test_unknown_fields_are_ignored(event: InputEvent, unknown: dict[str, Any]) -> None:
    extended = msgspec.to_builtins(event) | unknown
    assert decode(type(event), extended) == event


BAD_EVERYWHERE = [
    pytest.param({"event_id": None}, id="null id"),
    pytest.param({"event_id": ""}, id="empty id"),
    pytest.param({"event_id": "x" * 257}, id="too long an id"),
    pytest.param({"event_id": 7}, id="id of the wrong type"),
    pytest.param({"user_id": ""}, id="empty user"),
    pytest.param({"user_id": 4711}, id="user of the wrong type"),
    pytest.param({"ts": 1_000}, id="year 1970"),
    pytest.param({"ts": 1_764_064_800}, id="seconds for milliseconds"),
    pytest.param({"ts": END_TS}, id="year 2101"),
    pytest.param({"ts": 10**30}, id="ts beyond 64 bits"),
    pytest.param({"ts": "2025-11-25T10:00:00Z"}, id="ts as text"),
    pytest.param({"ts": 1_764_064_800_000.5}, id="ts with a fraction"),
    pytest.param({"ts": True}, id="ts as a boolean"),
    pytest.param({"ts": None}, id="null ts"),
    pytest.param({"properties": [1]}, id="properties not a map"),
]
BAD_BY_STRUCT = [
    pytest.param(Click, {"price": -0.01}, id="negative price"),
    pytest.param(Click, {"price": 1e308}, id="absurd price"),
    pytest.param(Click, {"price": "9.99"}, id="price as text"),
    pytest.param(Click, {"quantity": -1}, id="negative quantity"),
    pytest.param(Click, {"quantity": 1.5}, id="quantity with a fraction"),
    pytest.param(Click, {"quantity": 10**10}, id="absurd quantity"),
    pytest.param(Click, {"query": "长" * 513}, id="too long a query"),
    pytest.param(Click, {"message": "m" * 2001}, id="too long a message"),
    pytest.param(Click, {"currency": "EURO"}, id="no currency code"),
    pytest.param(Click, {"type": None}, id="null type"),
    pytest.param(Order, {"value": 0}, id="order worth nothing"),
    pytest.param(Order, {"value": -5}, id="negative order"),
    pytest.param(Order, {"value": 1e308}, id="absurd order"),
    pytest.param(Order, {"order_id": ""}, id="empty order id"),
    pytest.param(Order, {"currency": None}, id="order without currency"),
    pytest.param(Order, {"account_created_ts": -1}, id="account older than the epoch"),
    pytest.param(Order, {"items": [{"price": 1}]}, id="item without product"),
    pytest.param(Order, {"items": [{"product_id": "p"}] * 1001}, id="too many items"),
    pytest.param(Label, {"label": "maybe"}, id="unknown label"),
]


@pytest.mark.parametrize("struct", VALID)
@pytest.mark.parametrize("change", BAD_EVERYWHERE)
def test_what_does_not_fit_is_refused(struct: type[InputEvent], change: dict[str, Any]) -> None:
    decode(struct, VALID[struct])
    with pytest.raises(msgspec.ValidationError):
        decode(struct, VALID[struct] | change)


@pytest.mark.parametrize(("struct", "change"), BAD_BY_STRUCT)
def test_what_does_not_fit_its_type_is_refused(struct: type[InputEvent], change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(struct, VALID[struct] | change)


@pytest.mark.parametrize(
    ("struct", "missing"),
    [(Click, name) for name in ("event_id", "type", "ts")]
    + [(Order, name) for name in ("event_id", "type", "ts", "order_id", "value", "currency")]
    + [(Label, name) for name in ("event_id", "ts", "label")],
)
def test_a_missing_required_field_is_refused(struct: type[InputEvent], missing: str) -> None:
    partial = {name: value for name, value in VALID[struct].items() if name != missing}
    with pytest.raises(msgspec.ValidationError, match=f"missing required field `{missing}`"):
        decode(struct, partial)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e309", b"1e400"])
def test_a_number_that_is_not_finite_is_refused(number: bytes) -> None:
    value = json.dumps(CLICK).encode()[:-1] + b',"price":' + number + b"}"
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(value, type=Click)


@pytest.mark.parametrize("value", [b"", b"null", b"{", b"[]", b"0", b'"text"', b'{"event_id":"a"}{', b"\xef\xbb\xbf{}"])
def test_what_is_no_json_object_is_refused(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(value, type=Click)


@unhurried
@given(cut=st.integers(0, len(json.dumps(CLICK)) - 1))
def test_a_truncated_event_is_refused(cut: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(json.dumps(CLICK).encode()[:cut], type=Click)


def test_text_that_is_not_utf8_is_refused_with_python_s_own_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        msgspec.json.decode(json.dumps(CLICK).encode()[:-1] + b',"brand":"\xe7\xbe"}', type=Click)


def test_bottomless_nesting_is_refused_with_python_s_own_error() -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(RecursionError):
        msgspec.json.decode(json.dumps(CLICK).encode()[:-1] + b',"unknown":' + nested + b"}", type=Click)


@pytest.mark.parametrize("struct", VALID)
def test_null_is_the_same_as_absent(struct: type[InputEvent]) -> None:
    optional = [field.name for field in msgspec.structs.fields(struct) if field.default is None]
    absent = [name for name in optional if name not in VALID[struct]]
    assert decode(struct, VALID[struct] | dict.fromkeys(absent)) == decode(struct, VALID[struct])


def test_whole_numbers_are_prices() -> None:
    click = decode(Click, CLICK | {"price": 500})
    assert isinstance(click, Click)
    assert click.price == 500.0
    assert isinstance(click.price, float)


@pytest.mark.parametrize("ts", [946_684_800_000, END_TS - 1])
def test_the_years_2000_and_2100_are_inside(ts: int) -> None:
    assert decode(Click, CLICK | {"ts": ts}).ts == ts


def test_an_unknown_type_is_left_to_the_look_up() -> None:
    assert decode(Click, CLICK | {"type": "view_item"}).type == "view_item"


def test_the_visitor_is_the_user_else_the_anonymous_one() -> None:
    both = decode(Click, CLICK | {"anonymous_id": "a-1"})
    assert visitor(both) == "u-1"
    assert visitor(decode(Click, CLICK | {"user_id": None, "anonymous_id": "a-1"})) == "a-1"
    assert visitor(decode(Label, LABEL)) is None


def test_codes_follow_the_contract_s_order() -> None:
    assert (len(CLICK_TYPES), len(ORDER_TYPES), len(LABELS)) == (22, 2, 4)
    assert CLICK_TYPES[0] == "page_viewed"
    assert CLICK_TYPES[-1] == "message_sent"
    assert [CLICK_CODES[name] for name in CLICK_TYPES] == list(range(22))


def test_input_structs_cost_nothing_beyond_c() -> None:
    structs = [
        struct for _, struct in inspect.getmembers(events, inspect.isclass) if issubclass(struct, msgspec.Struct)
    ]
    for struct in structs:
        if struct is not msgspec.Struct:
            assert struct.__struct_config__.frozen
            assert not struct.__struct_config__.gc
            assert not hasattr(struct, "__post_init__")
