"""What explanations speak of: the click model's features, put together where they tell one thing.

A price and whether there is one, or a cart's products and its value, cannot be told apart by what they do to a score;
to move one without the other would ask the model about clicks that cannot be. What the visitor did before is in the
recurrent state, which is one input more.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.explain.words import Text, act, amount, clock_time, count, duration
from app.features.clicks import CLICK_FEATURES
from schemas.events import CLICK_TYPES

Values = Mapping[str, float]
"""Of one click: the features' values by name."""

Floats = NDArray[np.float32]

_IN_CART: Final = ("product_added", "product_removed")
_HOURS: Final = 24 / (2 * math.pi)


@dataclass(frozen=True)
class Input:
    """One thing that may move a score: the ``features`` that tell it (none: the recurrent state), the one of them that
    is quoted as its value, and how it is said."""

    name: str
    features: tuple[str, ...]
    quoted: str | None
    said: Callable[[Values], Text]


def _counted(name: str, one: str, many: str, zh: str, *more: str) -> Input:
    """A number of things; ``{}`` in ``zh`` is where it stands."""
    return Input(
        name,
        (name, *more),
        name,
        lambda of: Text(count(of[name], one, many), zh.format(amount(of[name]))),
    )


def _of_type(type_: str) -> Input:
    name, words = f"{type_}_count", act(type_)
    return _counted(
        name, f"{words.one} in this session", f"{words.many} in this session", f"本次会话中{words.zh}{{}}次"
    )


def _click(of: Values) -> Text:
    words = next((act(type_) for type_ in CLICK_TYPES if of[f"is_{type_}"]), None)
    return Text(f"this click: {words.one}", f"本次点击：{words.zh}") if words else Text("no click", "没有点击")


def _gap(of: Values) -> Text:
    ago = duration(of["gap_seconds"])
    if not of["is_new_session"]:
        return Text(f"{ago.en} since the click before", f"距上一次点击{ago.zh}")
    if of["gap_seconds"] == 0:
        return Text("the visitor's first click", "该访客的第一次点击")
    return Text(f"a new session, {ago.en} after the click before", f"新的会话，距上一次点击{ago.zh}")


def _repeated(of: Values) -> Text:
    times = of["repeated_items"]
    en = count(times, "return to a product of this session", "returns to products of this session")
    zh = f"本次会话中再次查看商品{amount(times)}次"
    return Text(f"{en}, this click is one", f"{zh}，本次点击即是") if of["is_repeated_item"] else Text(en, zh)


def _cart(of: Values) -> Text:
    products = of["cart_items"]
    if products == 0:
        return Text("nothing in the cart", "购物车为空")
    en, zh = f"{count(products, 'product', 'products')} in the cart", f"购物车里有{amount(products)}件商品"
    if of["cart_value"] == 0:
        return Text(en, zh)
    return Text(f"{en}, worth {amount(of['cart_value'])}", f"{zh}，价值{amount(of['cart_value'])}")


def _price(of: Values) -> Text:
    if not of["has_price"]:
        return Text("no price given", "没有价格")
    return Text(f"a price of {amount(of['price'])}", f"价格{amount(of['price'])}")


def _bought(of: Values) -> Text:
    if not of["has_purchased"]:
        return Text("no order by this visitor so far", "该访客尚未下过单")
    orders, ago = of["user_purchases"], duration(of["since_purchase_seconds"])
    return Text(
        f"{ago.en} since the last of {count(orders, 'order', 'orders')}", f"累计下单{amount(orders)}次，距上次{ago.zh}"
    )


def _added(of: Values) -> Text:
    if not of.get("has_added"):
        return Text("nothing put in a cart by this visitor so far", "该访客尚未加购过")
    ago = duration(of["since_add_seconds"])
    return Text(f"{ago.en} since something was put in the cart", f"距上次加购{ago.zh}")


def _known(of: Values) -> Text:
    known = duration(of["known_seconds"])
    return Text(f"{known.en} since the visitor was first seen", f"该访客首次出现距今{known.zh}")


def _hour(of: Values) -> Text:
    hours = math.atan2(of["hour_sine"] - 1, of["hour_cosine"] - 1) * _HOURS
    return Text(f"{clock_time(hours % 24)} UTC", f"UTC时间{clock_time(hours % 24)}")


def _lasted(of: Values) -> Text:
    lasted = duration(of["session_seconds"])
    return Text(f"{lasted.en} since the session began", f"本次会话已持续{lasted.zh}")


def _always(en: str, zh: str) -> Callable[[Values], Text]:
    return lambda _: Text(en, zh)


STATE: Final = "visitor_state"

_INPUTS: Final = (
    Input("click_type", tuple(f"is_{type_}" for type_ in CLICK_TYPES), None, _click),
    *(_of_type(type_) for type_ in CLICK_TYPES if type_ not in _IN_CART),
    Input("cart", ("cart_items", "cart_value", *(f"{type_}_count" for type_ in _IN_CART)), "cart_items", _cart),
    _counted("session_events", "click in this session", "clicks in this session", "本次会话中点击{}次"),
    Input("session_seconds", ("session_seconds",), "session_seconds", _lasted),
    Input("gap", ("gap_seconds", "is_new_session"), "gap_seconds", _gap),
    _counted(
        "distinct_items",
        "product seen in this session",
        "different products seen in this session",
        "本次会话中看过{}件不同商品",
    ),
    Input("repeated_items", ("repeated_items", "is_repeated_item"), "repeated_items", _repeated),
    _counted(
        "distinct_categories",
        "category seen in this session",
        "different categories seen in this session",
        "本次会话中看过{}个不同类目",
    ),
    Input("price", ("price", "has_price"), "price", _price),
    _counted("user_sessions", "session of this visitor", "sessions of this visitor", "该访客累计会话{}次"),
    _counted("user_clicks", "click by this visitor so far", "clicks by this visitor so far", "该访客累计点击{}次"),
    _counted(
        "user_adds",
        "product put in the cart by this visitor so far",
        "products put in the cart by this visitor so far",
        "该访客累计加购{}次",
    ),
    Input(
        "purchases", ("user_purchases", "has_purchased", "since_purchase_seconds"), "since_purchase_seconds", _bought
    ),
    Input("since_add", ("since_add_seconds", "has_added"), "since_add_seconds", _added),
    _counted(
        "user_abandoned_carts",
        "cart left behind by this visitor so far",
        "carts left behind by this visitor so far",
        "该访客累计弃购{}次",
    ),
    Input("known_seconds", ("known_seconds",), "known_seconds", _known),
    Input("hour", ("hour_sine", "hour_cosine"), None, _hour),
    Input("product", ("product_bucket",), None, _always("which product it is", "商品本身")),
    Input("category", ("category_bucket",), None, _always("which category it is", "类目本身")),
    Input(STATE, (), None, _always("what the visitor did before, click by click", "该访客此前的逐次行为")),
)


def _of_catalogue(names: Sequence[str]) -> Iterator[Input]:
    """The inputs whose features the catalogue has."""
    return (one for one in _INPUTS if one.name == STATE or set(one.features) <= set(names))


FEATURE_NAMES: Final = tuple(feature.name for feature in CLICK_FEATURES)
INPUTS: Final = tuple(_of_catalogue(FEATURE_NAMES))
"""In the order of the catalogue's features, the state last."""


def first_page_view() -> Floats:
    """The features [F] of a new visitor's first page view at noon UTC, nothing else known: what clicks are compared
    with. The recurrent state that belongs to it is zero."""
    known = dict.fromkeys(("is_page_viewed", "page_viewed_count", "session_events", "is_new_session"), 1.0)
    known |= {"user_sessions": 1.0, "user_clicks": 1.0, "hour_sine": 1.0, "hour_cosine": 0.0}
    return np.array([known.get(name, 0.0) for name in FEATURE_NAMES], np.float32)
