"""Every kind of bad input has a stated outcome, keeps its bytes, and stops nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.headers import DEAD_LETTER_HEADERS
from schemas.topics import CLICKSTREAM, DEAD_LETTER, ORDERS, RISK_EVENTS
from tests.harness import (
    MINUTE,
    START,
    VALUE_BYTES,
    Worker,
    click,
    failures,
    label,
    on,
    order,
    raw,
    run,
    scored,
)
from tests.schemas.strategies import unhurried

MALFORMED, SCHEMA, SIZE = "malformed_json", "schema_violation", "size_violation"
GOOD = {"event_id": "bad", "type": "page_viewed", "ts": START, "user_id": "u"}
YEAR_1970, YEAR_2100, YEAR_2101 = 1_000, 4_102_444_800_000, 4_133_980_800_000


def json_bytes(**changed: object) -> bytes:
    """A good click but for what is changed."""
    return json.dumps(GOOD | changed).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


BAD: dict[str, tuple[bytes | None, str]] = {
    "not JSON": (b"hello", MALFORMED),
    "empty": (b"", MALFORMED),
    "blank": (b"  \n ", MALFORMED),
    "null value": (None, SCHEMA),
    "JSON null": (b"null", SCHEMA),
    "a list": (b"[" + json_bytes() + b"]", SCHEMA),
    "two objects": (json_bytes() + b"," + json_bytes(), MALFORMED),
    "two lines": (json_bytes() + b"\n" + json_bytes(), MALFORMED),
    "cut short": (json_bytes()[:-9], MALFORMED),
    "truncated UTF-8": (json_bytes(query="é").replace(b"\\u00e9", "é".encode()[:1]), MALFORMED),
    "cut inside a character": (json_bytes(query="é").replace(b'\\u00e9"}', "é".encode()[:1]), MALFORMED),
    "UTF-16": (json_bytes().decode().encode("utf-16"), MALFORMED),
    "lone high surrogate": (json_bytes(query="\ud83d"), MALFORMED),
    "lone low surrogate": (json_bytes(query="\ude00"), MALFORMED),
    "lone surrogate as user": (json_bytes(user_id="\udc80"), MALFORMED),
    "raw control character": (json_bytes(query="x").replace(b'"x"', b'"\x01"'), MALFORMED),
    "deep nesting": (json_bytes(properties={"a": "?"}).replace(b'"?"', b"[" * 90_000 + b"]" * 90_000), MALFORMED),
    "NaN": (json_bytes(price=float("nan")), SCHEMA),
    "Infinity": (json_bytes(price=float("inf")), SCHEMA),
    "NaN in properties": (json_bytes(properties={"a": float("nan")}), SCHEMA),
    "1e308": (json_bytes(price=1e308), SCHEMA),
    "1e999": (json_bytes(price="?").replace(b'"?"', b"1e999"), SCHEMA),
    "negative price": (json_bytes(price=-0.01), SCHEMA),
    "negative quantity": (json_bytes(quantity=-1), SCHEMA),
    "price as text": (json_bytes(price="9.99"), SCHEMA),
    "ts as text": (json_bytes(ts=str(START)), SCHEMA),
    "ts as fraction": (json_bytes(ts=START + 0.5), SCHEMA),
    "ts beyond 64 bits": (json_bytes(ts=10**30), SCHEMA),
    "ts true": (json_bytes(ts=True), SCHEMA),
    "event_id as number": (json_bytes(event_id=7), SCHEMA),
    "empty event_id": (json_bytes(event_id=""), SCHEMA),
    "no event_id": (without("event_id"), SCHEMA),
    "no type": (without("type"), SCHEMA),
    "no ts": (without("ts"), SCHEMA),
    "nobody": (without("user_id"), SCHEMA),
    "empty user": (json_bytes(user_id=""), SCHEMA),
    "unknown type": (json_bytes(type="page_teleported"), SCHEMA),
    "an order's type": (json_bytes(type="order_placed"), SCHEMA),
    "year 1970": (json_bytes(ts=YEAR_1970), SCHEMA),
    "year 2101": (json_bytes(ts=YEAR_2101), SCHEMA),
    "before the epoch": (json_bytes(ts=-1), SCHEMA),
    "another user's key": (json_bytes(user_id="somebody else"), SCHEMA),
    "5 MiB": (json_bytes(query="x" * (5 << 20)), SIZE),
    "5 MiB of nothing": (b"\0" * (5 << 20), SIZE),
    "query too long": (json_bytes(query="x" * 513), SCHEMA),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_clicks_become_dead_letters_and_their_neighbours_are_scored(name: str) -> None:
    value, failure = BAD[name]
    found = run(click("u", 0, "before"), raw(value), click("u", 1, "after"))
    assert scored(found) == ["before", "after"]
    assert failures(found) == [failure]
    assert len(found) == 3
    (letter,) = on(DEAD_LETTER, found)
    assert (letter.key, letter.value) == (b"u", value)
    assert letter.headers.keys() >= set(DEAD_LETTER_HEADERS)
    assert letter.header("__connect.errors.topic") == CLICKSTREAM
    assert letter.header("__connect.errors.partition") == "0"
    assert letter.header("__connect.errors.offset") == "1"
    assert letter.header("__connect.errors.stage") == "decode"
    assert letter.header("__connect.errors.exception.class.name")
    assert letter.header("__connect.errors.exception.message")


def test_all_bad_clicks_at_once_stop_nothing() -> None:
    inputs = [click("u", 0, "first")]
    for number, (value, _) in enumerate(BAD.values()):
        inputs += [raw(value), click("u", number, f"good {number}")]
    found = run(*inputs)
    assert scored(found) == ["first", *(f"good {number}" for number in range(len(BAD)))]
    assert failures(found) == [failure for _, failure in BAD.values()]
    assert [letter.value for letter in on(DEAD_LETTER, found)] == [value for value, _ in BAD.values()]


@pytest.mark.parametrize("name", BAD)
def test_bad_records_have_the_same_outcome_alone_as_among_others(name: str) -> None:
    value, failure = BAD[name]
    assert failures(run(raw(value))) == [failure]


@pytest.mark.parametrize(
    ("changed", "failure"),
    [
        ({"value": 0}, SCHEMA),
        ({"value": -3}, SCHEMA),
        ({"value": 1e308}, SCHEMA),
        ({"value": float("nan")}, SCHEMA),
        ({"value": None}, SCHEMA),
        ({"currency": None}, SCHEMA),
        ({"currency": "EURO"}, SCHEMA),
        ({"order_id": None}, SCHEMA),
        ({"type": "page_viewed"}, SCHEMA),
        ({"items": [{"price": 1}]}, SCHEMA),
        ({"ts": YEAR_1970}, SCHEMA),
    ],
)
def test_bad_orders_become_dead_letters_and_their_neighbours_are_judged(changed: dict[str, Any], failure: str) -> None:
    found = run(order("u", 0, "before"), order("u", 1, "bad", **changed), order("u", 2, "after"))
    assert scored(found) == ["before", "after"]
    assert failures(found) == [failure]


def test_a_label_of_an_order_never_seen_changes_nothing_for_others() -> None:
    orders = [order("u", 2, "after"), order("v", 3, "other")]
    unknown = [label("x", 0, "l1", order_id="never"), label("w", 1, "l2", order_id="never either", label="fraud")]
    assert on(DEAD_LETTER, run(*unknown, *orders)) == []
    outcomes = [
        [(record.body["risk_level"], record.body["probability"]) for record in on(RISK_EVENTS, run(*events))]
        for events in ([*unknown, *orders], orders)
    ]
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("changed", [{"label": "guilty"}, {"label": None}, {"ts": YEAR_2101}])
def test_bad_labels_become_dead_letters(changed: dict[str, Any]) -> None:
    found = run(label("u", 0, "bad", **changed), order("u", 1, "after"))
    assert scored(found) == ["after"]
    assert failures(found) == [SCHEMA]


@pytest.mark.parametrize(
    "halves",
    [
        (b"[", b"]"),
        (json_bytes()[:-1], b'"price":1}'),
        (json_bytes() + b"," + b'{"event_id":"forged"', json_bytes()[1:]),
        (json_bytes() + b"\n" + b'{"event_id":"forged"', b"," + json_bytes()[1:]),
        (json_bytes() + b"," + json_bytes()[:-1] + b',"properties":{"a":[1', b"2]}}"),
    ],
)
def test_two_broken_records_that_would_join_into_valid_ones_are_two_dead_letters(halves: tuple[bytes, bytes]) -> None:
    found = run(raw(halves[0]), raw(halves[1]))
    assert [letter.value for letter in on(DEAD_LETTER, found)] == list(halves)
    assert len(found) == 2


def test_broken_records_cannot_swallow_the_good_one_between_them() -> None:
    opening = json_bytes(event_id="forged 1") + b"," + json_bytes(event_id="forged 2")[:-1] + b',"properties":{"a":[0'
    closing = b"]}}," + json_bytes(event_id="forged 3")
    found = run(raw(opening), click("u", 0, "good"), raw(closing))
    assert scored(found) == ["good"]
    assert [letter.value for letter in on(DEAD_LETTER, found)] == [opening, closing]


@unhurried
@given(values=st.lists(st.binary(max_size=60) | st.sampled_from([v for v, _ in BAD.values() if v]), max_size=6))
def test_whatever_bytes_come_each_record_is_one_output(values: list[bytes]) -> None:
    worker = Worker()
    found = worker.run(click("u", 0, "before"), *map(raw, values), click("u", 1, "after"))
    assert scored(found) == ["before", "after"]
    assert [letter.value for letter in on(DEAD_LETTER, found)] == values


# Accepted, and harmless.


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("Product Viewed", "product_viewed"),
        ("Order Completed", "order_completed"),
        ("view_item", "product_viewed"),
        ("add_to_cart", "product_added"),
        ("begin_checkout", "checkout_started"),
        ("purchase", "order_completed"),
    ],
)
def test_segment_and_ga4_names_are_accepted(name: str, type_: str) -> None:
    worker = Worker()
    assert scored(worker.run(click("u", 0, "a", name))) == ["a"]
    closed = on("session-events", worker.run(click("u", 31 * MINUTE, "b")))
    assert closed[0].body["counts"] == {type_: 1}


def test_unknown_fields_are_ignored_and_counted() -> None:
    worker = Worker()
    assert scored(worker.run(click("u", 0, "a", colour="red", extra={"deep": [1]}))) == ["a"]
    assert scored(worker.run(order("u", 1, "b", gift=True))) == ["b"]
    assert worker.pipeline.unknown_fields == {CLICKSTREAM: 2, ORDERS: 1}


def test_unknown_fields_may_have_any_bytes_for_a_name() -> None:
    worker = Worker()
    value = json_bytes(event_id="a")[:-1]
    assert scored(worker.run(raw(value + b',"\xff":1}'))) == ["a"]
    assert worker.pipeline.unknown_fields == {CLICKSTREAM: 1}


def test_properties_may_hold_anything() -> None:
    assert scored(run(click("u", 0, "a", properties={"a": [1, {"b": None}], "ts": "never"}))) == ["a"]


def test_spread_out_json_is_accepted_beside_dense_json() -> None:
    spread = json.dumps(GOOD | {"event_id": "spread"}, indent=2).encode()
    assert scored(run(click("u", 0, "a"), raw(spread), click("u", 1, "b"))) == ["a", "spread", "b"]


def test_values_up_to_the_limit_are_read() -> None:
    padding = VALUE_BYTES - len(json_bytes(event_id="a", referrer=""))
    assert scored(run(raw(json_bytes(event_id="a", referrer="x" * padding)))) == ["a"]
    assert failures(run(raw(json_bytes(event_id="a", referrer="x" * (padding + 1))))) == [SIZE]
