"""Hypothesis strategies for valid events, made from the structs so that they cannot fall behind them."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

from schemas.events import (
    CLICK_TYPES,
    EARLIEST_TS,
    END_TS,
    LABELS,
    MAX_AMOUNT,
    MAX_ID,
    MAX_MESSAGE,
    MAX_QUANTITY,
    MAX_QUERY,
    ORDER_TYPES,
    Click,
    Item,
    Label,
    Order,
)

# Machines that run tests are busy: how long one example takes says nothing here.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_ID)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_ID)
prices = st.floats(0, MAX_AMOUNT)
quantities = st.integers(0, MAX_QUANTITY)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)

_BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "ts": st.integers(EARLIEST_TS, END_TS - 1),
    "account_created_ts": st.integers(0, END_TS - 1),
    "price": prices,
    "value": st.floats(0, MAX_AMOUNT, exclude_min=True),
    "quantity": quantities,
    "currency": st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3),
    "query": st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_QUERY),
    "message": st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_MESSAGE),
    "label": st.sampled_from(LABELS),
    "items": st.lists(st.builds(Item, ids, st.none() | prices, st.none() | quantities), max_size=3),
    "properties": st.dictionaries(texts, plain_json, max_size=3),
}


def _events(struct: type[Struct], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    strategies = {}
    for field in fields(struct):
        strategy = given.get(field.name, _BY_FIELD.get(field.name, ids))
        strategies[field.name] = st.none() | strategy if field.default is None else strategy
    return st.builds(struct, **strategies)


clicks: st.SearchStrategy[Click] = _events(Click, type=st.sampled_from(CLICK_TYPES))
orders: st.SearchStrategy[Order] = _events(Order, type=st.sampled_from(ORDER_TYPES))
labels: st.SearchStrategy[Label] = _events(Label, type=ids)
