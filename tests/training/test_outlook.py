"""The truth about the day after a click and about the next click, as examples."""

import numpy as np

from app.features.clicks import CLICK_FEATURES
from app.training.outlook import DAY_MS, Outlook, outlook_of
from app.training.rows import ClickRows
from schemas.events import CLICK_CODES

VIEW, BUY = CLICK_CODES["product_viewed"], CLICK_CODES["order_completed"]


def outlook(*clicks: tuple[int, int, int, int]) -> Outlook:
    """Of clicks (user, session, ms, type)."""
    user, session, ts, types = np.array(clicks, np.int64).T
    return outlook_of(ClickRows(user, session, types, ts, ts, np.zeros((len(ts), len(CLICK_FEATURES)), np.float32)))


def test_an_order_within_a_day_counts_in_another_session_too_but_not_that_of_another_user() -> None:
    found = outlook((0, 0, 0, VIEW), (0, 1, DAY_MS, BUY), (1, 2, 0, VIEW), (2, 3, 1, BUY))
    assert found.within_day.tolist() == [True, False, False, False]
    assert outlook((0, 0, 0, VIEW), (0, 1, DAY_MS + 1, BUY)).within_day.tolist() == [False, False]


def test_an_order_is_not_its_own_future() -> None:
    assert outlook((0, 0, 0, BUY), (0, 0, 5, BUY)).within_day.tolist() == [True, False]


def test_the_last_day_of_a_recording_does_not_tell_what_follows_within_a_day() -> None:
    found = outlook((0, 0, 0, VIEW), (0, 1, 1, VIEW), (0, 2, DAY_MS, VIEW))
    assert found.day_known.tolist() == [True, False, False]


def test_the_last_click_ends_its_session() -> None:
    assert outlook((0, 0, 0, VIEW), (0, 0, 1, VIEW), (0, 1, 2, VIEW)).ends.tolist() == [False, True, True]
