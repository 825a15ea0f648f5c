"""Decoding: columns out of a fetch, whole or record by record, with the same result."""

import json
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.decode import Decoded, Decoder
from app.kafka.fetched import Fetched
from schemas.aliases import ALIASES
from schemas.events import CLICK_CODES, CLICK_TYPES
from schemas.topics import CLICKSTREAM, LABELS
from tests.harness import START, Input, Worker, click, label, raw
from tests.schemas.strategies import clicks, unhurried


def decode(*inputs: Input) -> Decoded:
    (fetched,) = Worker().fetches(inputs)
    return Decoder(1 << 20, lambda user, partition: True).decode(fetched)


def test_columns_are_parallel_and_in_offset_order() -> None:
    found = decode(click("u", 5, "a", "product_viewed"), raw(b"bad"), click("v", 3, "b", "cart_viewed"))
    assert [event.event_id for event in found.events] == ["a", "b"]
    assert found.users == ["u", "v"]
    assert found.ts.tolist() == [START + 5, START + 3]
    assert found.codes.tolist() == [CLICK_CODES["product_viewed"], CLICK_CODES["cart_viewed"]]
    assert found.offsets.tolist() == [0, 2]
    assert (found.next_offset, len(found)) == (3, 2)


def test_an_empty_fetch_has_empty_columns() -> None:
    fetched = Fetched(CLICKSTREAM, 0, 0, 9, 9, 0, 0, [], [], [], [], None)
    found = Decoder(1 << 20, lambda user, partition: True).decode(fetched)
    assert (len(found), found.next_offset, found.rejected) == (0, 9, [])
    assert found.ts.dtype == found.codes.dtype == found.offsets.dtype == "int64"


@unhurried
@given(events=st.lists(clicks.filter(lambda event: event.user_id or event.anonymous_id), min_size=1, max_size=5))
def test_whole_or_one_by_one_valid_events_come_out_alike(events: list[object]) -> None:
    inputs = []
    for event in events:
        body = msgspec.json.encode(event)
        user = json.loads(body).get("user_id") or json.loads(body)["anonymous_id"]
        inputs.append(raw(body, user.encode()))
    whole, single = decode(*inputs), decode(*inputs, raw(b"bad"))
    assert whole.rejected == []
    assert whole.events == single.events == events
    assert whole.users == single.users
    assert whole.codes.tolist() == single.codes.tolist()


def test_what_is_wrong_with_one_record_is_told_of_it_alone() -> None:
    inputs = [
        click("u", 0, "good"),
        click("u", 1, "alias", "view_item"),
        click("u", 2, "nobody", user_id=None),
        click("u", 3, "unknown", "flew_away"),
        raw(click("u", 4, "another").value, b"v"),
        raw(b"bad"),
        click("u", 6, "last", "cart_viewed"),
    ]
    found = decode(*[replace(one, partition=0) for one in inputs])
    assert [event.event_id for event in found.events] == ["good", "alias", "last"]
    assert [CLICK_TYPES[code] for code in found.codes.tolist()] == ["page_viewed", "product_viewed", "cart_viewed"]
    assert (found.users, found.sources, found.offsets.tolist()) == (["u"] * 3, [0, 1, 6], [0, 1, 6])
    messages = ["neither `user_id` nor", "Unknown type 'flew_away'", "key b'v' is not", "JSON is malformed"]
    for rejected, offset, message in zip(found.rejected, [2, 3, 4, 5], messages, strict=True):
        assert rejected.offset == offset
        assert message in rejected.message


@pytest.mark.parametrize("name", ALIASES)
def test_every_alias_of_a_click_type_is_that_type(name: str) -> None:
    found = decode(click("u", 0, "a", name))
    if ALIASES[name] in CLICK_CODES:
        assert [CLICK_TYPES[code] for code in found.codes.tolist()] == [ALIASES[name]]
    else:
        assert len(found.rejected) == 1


def test_traceparents_are_kept_where_there_are_any() -> None:
    traced = click("u", 0, "a", event_id="a")
    with_trace = Input(CLICKSTREAM, traced.key, traced.value, [("x", b"1"), ("traceparent", b"00-ab-cd-01")])
    assert decode(with_trace, click("u", 1, "b")).traces == [b"00-ab-cd-01", None]
    assert decode(click("u", 1, "b")).traces is None
    other = Input(CLICKSTREAM, traced.key, traced.value, [("x", None)])
    assert decode(other).traces is None


def test_a_label_needs_no_type_and_any_is_ignored() -> None:
    found = decode(label("u", 0, "a"), label("u", 1, "b", type="whatever"))
    assert (found.topic, len(found), found.codes.tolist()) == (LABELS, 2, [0, 0])
