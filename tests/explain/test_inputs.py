"""Every feature is spoken of once, in words that are right in both languages."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.explain.inputs import FEATURE_NAMES, INPUTS, STATE, Input, first_page_view
from app.explain.words import act, clock_time, duration
from schemas.events import CLICK_TYPES
from tests.schemas.strategies import unhurried

BY_NAME = {one.name: one for one in INPUTS}
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def test_every_feature_of_the_catalogue_belongs_to_one_input() -> None:
    told = Counter(name for one in INPUTS for name in one.features)
    assert told == Counter(FEATURE_NAMES)
    assert len(BY_NAME) == len(INPUTS)
    assert INPUTS[-1].name == STATE


@pytest.mark.parametrize("type_", CLICK_TYPES)
def test_every_type_of_click_has_words(type_: str) -> None:
    assert all(act(type_))


@pytest.mark.parametrize(
    ("name", "values", "en", "zh"),
    [
        ("click_type", {"is_product_added": 1}, "this click: product put in the cart", "本次点击：加入购物车"),
        ("cart", {"cart_items": 3}, "3 products in the cart", "购物车里有3件商品"),
        (
            "cart",
            {"cart_items": 1, "cart_value": 1_299.5},
            "1 product in the cart, worth 1,299.5",
            "购物车里有1件商品，价值1,299.5",
        ),
        ("cart", {"cart_items": 0}, "nothing in the cart", "购物车为空"),
        (
            "purchases",
            {"has_purchased": 1, "user_purchases": 2, "since_purchase_seconds": 22 * MINUTE},
            "22 minutes since the last of 2 orders",
            "累计下单2次，距上次22分钟",
        ),
        ("purchases", {"has_purchased": 0}, "no order by this visitor so far", "该访客尚未下过单"),
        ("session_seconds", {"session_seconds": 2 * HOUR}, "2 hours since the session began", "本次会话已持续2小时"),
        ("gap", {"gap_seconds": 40}, "40 seconds since the click before", "距上一次点击40秒"),
        (
            "gap",
            {"gap_seconds": 3 * DAY, "is_new_session": 1},
            "a new session, 3 days after the click before",
            "新的会话，距上一次点击3天",
        ),
        ("gap", {"is_new_session": 1}, "the visitor's first click", "该访客的第一次点击"),
        ("price", {"price": 49.9, "has_price": 1}, "a price of 49.9", "价格49.9"),
        ("price", {}, "no price given", "没有价格"),
        ("user_clicks", {"user_clicks": 1}, "1 click by this visitor so far", "该访客累计点击1次"),
        (
            "product_viewed_count",
            {"product_viewed_count": 4},
            "4 products viewed in this session",
            "本次会话中查看商品4次",
        ),
        ("products_searched_count", {}, "no search in this session", "本次会话中搜索商品0次"),
        (
            "repeated_items",
            {"repeated_items": 2, "is_repeated_item": 1},
            "2 returns to products of this session, this click is one",
            "本次会话中再次查看商品2次，本次点击即是",
        ),
        ("hour", {"hour_sine": 1, "hour_cosine": 0}, "12:00 UTC", "UTC时间12:00"),
        ("hour", {"hour_sine": 2, "hour_cosine": 1}, "06:00 UTC", "UTC时间06:00"),
        ("visitor_state", {}, "what the visitor did before, click by click", "该访客此前的逐次行为"),
    ],
)
def test_inputs_are_told_as_people_say_them(name: str, values: dict[str, float], en: str, zh: str) -> None:
    assert BY_NAME[name].said(dict.fromkeys(FEATURE_NAMES, 0.0) | values) == (en, zh)


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0, "0 seconds", "0秒"),
        (1, "1 second", "1秒"),
        (59.7, "1 minute", "1分钟"),
        (59 * MINUTE, "59 minutes", "59分钟"),
        (90 * MINUTE, "1.5 hours", "1.5小时"),
        (DAY, "1 day", "1天"),
        (1_000 * DAY, "1,000 days", "1,000天"),
    ],
)
def test_durations_are_in_the_largest_unit_that_fits(seconds: float, en: str, zh: str) -> None:
    assert duration(seconds) == (en, zh)


def test_a_minute_before_midnight_is_not_24_00() -> None:
    assert clock_time(23.999) == "00:00"


@unhurried
@given(one=st.sampled_from(INPUTS), values=st.lists(st.floats(0, 1e9), min_size=8, max_size=8))
def test_any_values_make_texts_in_their_language(one: Input, values: list[float]) -> None:
    known = {name: values[place % len(values)] for place, name in enumerate(FEATURE_NAMES)}
    en, zh = one.said(known)
    assert not re.search(r"[\u4e00-\u9fff]", en)
    assert re.search(r"[\u4e00-\u9fff]", zh)
    assert not re.search(r"e\+|\{|nan", en + zh)


def test_the_first_page_view_says_so() -> None:
    values = dict(zip(FEATURE_NAMES, first_page_view().tolist(), strict=True))
    said = [one.said(values).en for one in INPUTS]
    for text in ("this click: page viewed", "the visitor's first click", "1 click in this session", "12:00 UTC"):
        assert text in said
