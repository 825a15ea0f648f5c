"""The texts of reasons read well, whatever the feature and its value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.features.clicks import Feature
from app.features.orders import ORDER_FEATURES
from app.features.words import in_words
from tests.schemas.strategies import unhurried

FEATURES = {feature.name: feature for feature in ORDER_FEATURES}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("countries_differ", 1.0, "billing and shipping country are given and differ: yes"),
        ("has_ordered", 0.0, "the user ordered in the 30 d before: no"),
        ("amount", 8179.9199, "the order's value: 8,179.92"),
        ("amount", 1e12, "the order's value: 1,000,000,000,000"),
        ("amount", 0.0001, "the order's value: under 0.01"),
        ("orders_30d", 1.0, "the user's orders in 30d, this one included: 1"),
        ("hour", 0.0, "hour of the day, UTC: 0"),
        (
            "amount_deviations_30d",
            3.5,
            "this value's distance above that mean, 0 if below: 3.5 standard deviations",
        ),
        ("account_age_seconds", 63_072_000.0, "since the account was created, 0 if unknown: 730 d"),
        ("since_order_seconds", 5_400.0, "since the user's order before, 0 if none in 30 d: 1.5 h"),
        ("session_seconds", 90.0, "since that session's first click: 1.5 min"),
        ("session_seconds", 0.0, "since that session's first click: 0 s"),
    ],
)
def test_values_are_told_as_people_say_them(name: str, value: float, text: str) -> None:
    assert in_words(FEATURES[name], value) == text


@unhurried
@given(feature=st.sampled_from(ORDER_FEATURES), value=st.floats(0, 1e13))
def test_every_feature_has_a_text_without_exponents_or_choices(feature: Feature, value: float) -> None:
    text = in_words(feature, value)
    assert "0 or 1" not in text
    assert "e+" not in text.rpartition(": ")[2]
