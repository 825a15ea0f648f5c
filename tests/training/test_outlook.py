"""The truth about the day after a click and about the next click, as examples."""

import numpy as np

from app.features.clicks import CLICK_FEATURES
from app.training.outlook import DAY_MS, Outlook, outlook_of
from app.training.rows import ClickRows
from schemas.events import CLICK_CODES
from schemas.outputs import NEXT_ACTIONS

VIEW, BUY = CLICK_CODES["product_viewed"], CLICK_CODES["order_completed"]


def outlook(*clicks: tuple[int, int, int, int], categories: list[int] | None = None) -> Outlook:
    """Of clicks (user, session, ms, type), and the bucket of each one's category."""
    user, session, ts, types = np.array(clicks, np.int64).T
    features = np.zeros((len(ts), len(CLICK_FEATURES)), np.float32)
    features[:, -1] = categories or 0
    return outlook_of(ClickRows(user, session, types, ts, ts, features))


def test_an_order_within_a_day_counts_in_another_session_too_but_not_that_of_another_user() -> None:
    found = outlook((0, 0, 0, VIEW), (0, 1, DAY_MS, BUY), (1, 2, 0, VIEW), (2, 3, 1, BUY))
    assert found.within_day.tolist() == [True, False, False, False]
    assert outlook((0, 0, 0, VIEW), (0, 1, DAY_MS + 1, BUY)).within_day.tolist() == [False, False]


def test_an_order_is_not_its_own_future() -> None:
    assert outlook((0, 0, 0, BUY), (0, 0, 5, BUY)).within_day.tolist() == [True, False]


def test_the_last_day_of_a_recording_does_not_tell_what_follows_within_a_day() -> None:
    found = outlook((0, 0, 0, VIEW), (0, 1, 1, VIEW), (0, 2, DAY_MS, VIEW))
    assert found.day_known_until(DAY_MS).tolist() == [True, False, False]


def test_the_next_click_is_told_by_its_type_within_the_session() -> None:
    found = outlook((0, 0, 0, VIEW), (0, 0, 1, BUY), (0, 1, 2, VIEW))
    assert [NEXT_ACTIONS[code] for code in found.next] == ["order_completed", "none", "none"]


def test_a_category_stays_the_same_only_between_clicks_that_name_one() -> None:
    found = outlook(*[(0, 0, at, VIEW) for at in range(5)], (0, 1, 5, VIEW), categories=[7, 7, 8, 0, 8, 8])
    assert found.same_category.tolist() == [True, False, False, False, False, False]
    assert found.category_known.tolist() == [True, True, False, False, False, False]


def test_the_last_click_ends_its_session() -> None:
    assert outlook((0, 0, 0, VIEW), (0, 0, 1, VIEW), (0, 1, 2, VIEW)).ends.tolist() == [False, True, True]
