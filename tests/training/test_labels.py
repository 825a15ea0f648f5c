"""The truth about each click: the specification of the labels, as examples."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.features.clicks import CLICK_FEATURES
from app.training.labels import HORIZON, click_labels
from schemas.events import CLICK_CODES
from schemas.outputs import INTENTS

COLUMN = {feature.name: index for index, feature in enumerate(CLICK_FEATURES)}

VIEW, ADD, REMOVE = "product_viewed", "product_added", "product_removed"
BUY, SEARCH, WRITE, REFUND, CANCEL, PAGE = (
    "order_completed",
    "products_searched",
    "message_sent",
    "order_refunded",
    "order_cancelled",
    "page_viewed",
)


def features_of(types: list[str]) -> NDArray[np.float32]:
    """Features that say the click's type and nothing of products."""
    features = np.zeros((len(types), len(CLICK_FEATURES)), np.float32)
    for row, name in enumerate(types):
        features[row, COLUMN[f"is_{name}"]] = 1
    return features


def intents(*types: str, session: list[int] | None = None) -> list[str]:
    codes = np.array([CLICK_CODES[name] for name in types])
    labels = click_labels(np.array(session or [0] * len(types)), codes, features_of(list(types)))
    return [INTENTS[code] for code in labels.intent]


def purchases(*types: str, session: list[int] | None = None) -> list[bool]:
    codes = np.array([CLICK_CODES[name] for name in types])
    labels = click_labels(np.array(session or [0] * len(types)), codes, features_of(list(types)))
    return [bool(purchase) for purchase in labels.purchase]


def test_every_click_up_to_the_order_is_a_purchase_and_those_after_it_are_not() -> None:
    assert intents(VIEW, ADD, BUY, PAGE) == ["purchase"] * 3 + ["browse"]


def test_the_purchase_head_learns_only_what_is_still_to_come() -> None:
    assert purchases(VIEW, ADD, BUY, PAGE) == [True, True, False, False]
    assert purchases(BUY, BUY) == [True, False]


def test_an_order_of_another_session_is_not_seen() -> None:
    assert intents(VIEW, BUY, session=[0, 1]) == ["browse", "purchase"]
    assert purchases(VIEW, BUY, session=[0, 1]) == [False, False]


def test_a_purchase_outranks_a_return_a_return_a_message_and_a_message_a_left_cart() -> None:
    assert intents(WRITE, BUY, REFUND, WRITE, ADD) == ["purchase", "purchase", "return", "support", "abandon"]


@pytest.mark.parametrize("act", [REFUND, CANCEL])
def test_refunding_and_cancelling_are_returns(act: str) -> None:
    assert intents(PAGE, act, PAGE) == ["return", "return", "browse"]


def test_a_cart_left_at_the_end_of_the_session_is_abandoned_from_its_first_click_on() -> None:
    assert intents(VIEW, ADD, VIEW) == ["abandon"] * 3


def test_a_cart_that_was_emptied_again_is_not_abandoned() -> None:
    assert intents(VIEW, ADD, REMOVE) == ["browse"] * 3


def test_an_order_empties_the_cart() -> None:
    assert intents(ADD, BUY, VIEW) == ["purchase", "purchase", "browse"]
    assert intents(ADD, BUY, VIEW, ADD)[2:] == ["abandon", "abandon"]


def test_a_cart_of_the_session_before_does_not_count() -> None:
    assert intents(ADD, VIEW, session=[0, 1]) == ["abandon", "browse"]


def test_a_search_counts_from_four_clicks_before_it_and_not_after_it() -> None:
    types = [PAGE] * (HORIZON + 1) + [SEARCH, PAGE]
    assert intents(*types) == ["browse"] * 2 + ["search"] * HORIZON + ["browse"]


def test_coming_back_to_a_product_after_another_one_is_comparing() -> None:
    types = [VIEW, VIEW, VIEW]
    features = features_of(types)
    features[:, COLUMN["distinct_items"]] = [1, 2, 2]
    features[:, COLUMN["is_repeated_item"]] = [0, 0, 1]
    labels = click_labels(np.zeros(3, np.int64), np.full(3, CLICK_CODES[VIEW]), features)
    assert [INTENTS[code] for code in labels.intent] == ["compare"] * 3


def test_reloading_the_only_product_is_not_comparing() -> None:
    features = features_of([VIEW, VIEW])
    features[:, COLUMN["distinct_items"]] = 1
    features[:, COLUMN["is_repeated_item"]] = [0, 1]
    labels = click_labels(np.zeros(2, np.int64), np.full(2, CLICK_CODES[VIEW]), features)
    assert [INTENTS[code] for code in labels.intent] == ["browse"] * 2


@pytest.mark.parametrize(("categories", "intent"), [(1, "compare"), (2, "browse"), (0, "browse")])
def test_three_products_of_one_category_are_compared_three_of_two_or_of_unknown_ones_are_not(
    categories: int, intent: str
) -> None:
    features = features_of([VIEW])
    features[:, COLUMN["distinct_items"]] = 3
    features[:, COLUMN["distinct_categories"]] = categories
    labels = click_labels(np.zeros(1, np.int64), np.array([CLICK_CODES[VIEW]]), features)
    assert [INTENTS[code] for code in labels.intent] == [intent]


def test_the_nearer_of_searching_and_comparing_counts() -> None:
    types = [PAGE, SEARCH, VIEW]
    features = features_of(types)
    features[2, COLUMN["distinct_items"]] = 3
    features[2, COLUMN["distinct_categories"]] = 1
    codes = np.array([CLICK_CODES[name] for name in types])
    labels = click_labels(np.zeros(3, np.int64), codes, features)
    assert [INTENTS[code] for code in labels.intent] == ["search", "search", "compare"]
