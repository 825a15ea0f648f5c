"""Figures by group are of that group alone, with intervals over users; small groups have none."""

import numpy as np
import pytest

from app.cards.groups import GroupFigure, Question, group_figures

USERS = np.repeat(np.arange(200), 5)
RANDOM = np.random.default_rng(5)
EVERY_OTHER = USERS % 2 == 0


def ranked() -> Question:
    """The model knows the even users' answers and guesses the odd ones'."""
    right = RANDOM.random(len(USERS)) < 0.3
    told = np.where(EVERY_OTHER, 0.2 + 0.6 * right, RANDOM.random(len(USERS)))
    return Question("set", "fraud", right, told, USERS)


def test_a_group_is_measured_by_its_own_rows() -> None:
    question = ranked()
    every, even, odd = group_figures(question, "parity", {"even": EVERY_OTHER, "odd": ~EVERY_OTHER})
    assert [one.group for one in (every, even, odd)] == ["all", "even", "odd"]
    assert (even.rows, even.users, even.metric) == (500, 100, "auc")
    assert even.value == 1.0
    assert odd.value is not None
    assert odd.low is not None
    assert odd.high is not None
    assert odd.low < 0.5 < odd.high
    assert odd.low < odd.value < odd.high
    assert every.value is not None
    assert odd.value < every.value < 1.0
    assert even.rate == pytest.approx(question.right[EVERY_OTHER].mean(), abs=1e-4)
    assert even.expected == pytest.approx(0.2 + 0.6 * float(question.right[EVERY_OTHER].mean()), abs=1e-3)


def test_a_question_of_several_answers_is_measured_by_accuracy() -> None:
    right = np.arange(len(USERS)) % 4 != 0
    (every,) = group_figures(Question("set", "intent", right, None, USERS), "none", {})
    assert (every.metric, every.value, every.rate) == ("accuracy", 0.75, None)
    assert every.low is not None
    assert every.high is not None
    assert every.low <= 0.75 <= every.high


def test_an_interval_is_drawn_over_users_not_rows() -> None:
    """Five equal rows of one user tell no more than one."""
    right = np.repeat(RANDOM.random(200) < 0.7, 5)
    (of_users,) = group_figures(Question("set", "intent", right, None, USERS), "none", {})
    (of_rows,) = group_figures(Question("set", "intent", right, None, np.arange(len(right))), "none", {})
    assert of_users.value == of_rows.value
    assert _width(of_users) > 1.5 * _width(of_rows)


def _width(one: GroupFigure) -> float:
    assert one.low is not None
    assert one.high is not None
    return one.high - one.low


def test_a_small_group_has_rows_and_no_figure() -> None:
    (_, small) = group_figures(ranked(), "size", {"small": np.arange(len(USERS)) < 30, "nobody": USERS < 0})
    assert (small.rows, small.value, small.low, small.high) == (30, None, None, None)
