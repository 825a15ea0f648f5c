"""Names of Segment, GA4 and Snowplow find their type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.aliases import ALIASES, canonical_type
from schemas.events import CLICK_TYPES, ORDER_TYPES
from tests.schemas.strategies import unhurried


@pytest.mark.parametrize("name", CLICK_TYPES + ORDER_TYPES)
def test_our_own_names_stay(name: str) -> None:
    assert canonical_type(name) == name


@pytest.mark.parametrize("name", CLICK_TYPES)
def test_segment_writes_them_in_title_case(name: str) -> None:
    assert canonical_type(name.replace("_", " ").title()) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Product List Filtered", "product_list_viewed"),
        ("Wishlist Product Added to Cart", "product_added"),
        ("view_item", "product_viewed"),
        ("select_item", "product_clicked"),
        ("begin_checkout", "checkout_started"),
        ("purchase", "order_completed"),
        ("list_click", "product_clicked"),
        ("transaction", "order_completed"),
        (" Product-Viewed ", "product_viewed"),
    ],
)
def test_aliases(name: str, expected: str) -> None:
    assert canonical_type(name) == expected


@pytest.mark.parametrize("name", ["", "user_engagement", "Product Shared", "trns_error", "viewed"])
def test_an_unknown_name_is_none(name: str) -> None:
    assert canonical_type(name) is None


def test_every_alias_leads_to_a_type_of_the_contract() -> None:
    assert set(ALIASES.values()) == {*CLICK_TYPES, *ORDER_TYPES}


@unhurried
@given(st.text())
def test_any_text_is_looked_up_without_error(name: str) -> None:
    assert canonical_type(name) in {None, *CLICK_TYPES, *ORDER_TYPES}
