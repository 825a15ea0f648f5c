"""What a model knows of categories and products: from other users alone, and nothing of days it must not see."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import CLICK_FEATURES
from app.models.manifest import DataFile
from app.training.click_sets import ClickSet, labelled
from app.training.rows import ClickRows
from app.training.sources import LEARN, MEASURE
from app.training.tables import KNOWN, Known, known_of
from schemas.events import CLICK_CODES

VIEW, BUY = CLICK_CODES["product_viewed"], CLICK_CODES["order_completed"]
ORDERS = KNOWN.index("orders")
BOUGHT, SEEN, NEW = 7, 8, 9  # buckets of categories


def click_set(users: int = 40, part: int = LEARN) -> ClickSet:
    """Each user sees one category and buys of the other; a last click is of a category of its own."""
    user = np.repeat(np.arange(users), 3)
    types = np.tile([VIEW, BUY, VIEW], users)
    features = np.zeros((len(user), len(CLICK_FEATURES)), np.float32)
    features[:, -1] = np.tile([SEEN, BOUGHT, NEW], users)
    ts = np.arange(len(user))
    rows = ClickRows(user, user, types, ts, ts, features)
    return labelled("a set", rows, np.full(len(user), part), DataFile("", "", "", 0), "")


def known(*sets: ClickSet) -> Known:
    parts = np.concatenate([one.part for one in sets])
    return known_of(sets, [LEARN], (parts == LEARN).astype(np.float32))


def test_a_category_that_is_bought_of_stands_above_one_that_is_only_seen() -> None:
    orders = known(click_set()).tables.categories[:, ORDERS]
    assert orders[BOUGHT] > orders[0] > orders[SEEN]


def test_days_that_are_not_learned_leave_no_trace() -> None:
    later = click_set(part=MEASURE)
    later.rows.features[:, -1] = NEW + 1
    tables = known(click_set(), later).tables
    np.testing.assert_array_equal(tables.categories[NEW + 1], tables.categories[0])


def test_a_click_finds_nothing_of_its_own_users_orders() -> None:
    one = click_set(users=11)
    mine = one.rows.user == 0
    one.rows.features[mine & (one.rows.type == BUY), -1] = NEW + 1  # nobody else buys of it
    found: NDArray[np.float32] = known(one).columns
    of_mine = found[mine & (one.rows.type == BUY), ORDERS]
    np.testing.assert_allclose(of_mine, known(one).tables.categories[0, ORDERS], atol=1e-6)


def test_clicks_of_other_days_find_what_was_learned() -> None:
    learned, later = click_set(), click_set(part=MEASURE)
    both = known(learned, replace(later, name="later"))
    bought = later.rows.type == BUY
    found = both.columns[len(learned.part) :][bought, : len(KNOWN)]
    np.testing.assert_allclose(found, np.tile(both.tables.categories[BOUGHT], (bought.sum(), 1)), atol=1e-5)
