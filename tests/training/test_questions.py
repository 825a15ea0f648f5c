"""What training asks about a click, and which answers count."""

import numpy as np

from app.features.clicks import CLICK_FEATURES
from app.models.manifest import DataFile
from app.training.click_sets import ClickSet, labelled
from app.training.intent_weights import HEADS
from app.training.outlook import DAY_MS
from app.training.questions import QUESTIONS, WIDTHS, answers_of, weights_of
from app.training.rows import ClickRows
from app.training.sources import CHOOSE, LEARN
from schemas.events import CLICK_CODES

VIEW, BUY = CLICK_CODES["product_viewed"], CLICK_CODES["order_completed"]


def click_set(types: list[int], ts: list[int], part: list[int]) -> ClickSet:
    """Of one user and session."""
    n = len(types)
    zeros, times = np.zeros(n, np.int64), np.array(ts)
    rows = ClickRows(zeros, zeros, np.array(types), times, times, np.zeros((n, len(CLICK_FEATURES)), np.float32))
    return labelled("a set", rows, np.array(part), DataFile("", "", "", 0), "")


def test_every_head_belongs_to_one_question() -> None:
    assert len(QUESTIONS) == len(WIDTHS)
    assert sum(WIDTHS) == len(HEADS)


def test_a_day_that_ends_after_the_learned_ones_is_not_asked_about() -> None:
    one = click_set([VIEW, VIEW, VIEW, BUY], [0, 1, DAY_MS, 3 * DAY_MS], [LEARN, LEARN, LEARN, CHOOSE])
    assert (weights_of([one], [LEARN])[:, QUESTIONS.index("purchase_24h")] > 0).tolist() == [True, False, False, False]


def test_a_set_without_orders_teaches_only_what_comes_next() -> None:
    weights = weights_of([click_set([VIEW, VIEW], [0, 1], [LEARN, LEARN])], [LEARN])
    asked = {question for question, column in zip(QUESTIONS, weights.T, strict=True) if column.any()}
    assert asked == {"next"}


def test_answers_are_classes_and_yes_or_no() -> None:
    answers = answers_of([click_set([VIEW, BUY], [0, 1], [LEARN, LEARN])])
    assert answers[:, QUESTIONS.index("purchase")].tolist() == [1, 0]
    assert answers[:, QUESTIONS.index("next")].tolist() == [BUY, len(CLICK_CODES)]
