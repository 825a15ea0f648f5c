"""What a comparison of two models decides, and that its metrics are the usual ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from app.learning.comparing import METRICS, compared, decided
from app.training.calibrating import probability

RANDOM = np.random.default_rng(5)
USERS = np.repeat(np.arange(300), 5)
ODDS = RANDOM.normal(-1.5, 1.5, len(USERS))
TRUTH = RANDOM.random(len(USERS)) < probability(ODDS)


def guess(noise: float, seed: int = 1) -> np.ndarray:
    """Probabilities whose log-odds are off by so much."""
    return probability(ODDS + np.random.default_rng(seed).normal(0, noise + 1e-9, len(ODDS)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(1, 4)), min_size=2, max_size=40))
def test_metrics_of_weighted_rows_are_those_of_scikit_learn(rows: list[tuple[bool, int, int]]) -> None:
    truth, tenths, weight = (np.array(column) for column in zip(*rows, strict=True))
    if truth.all() or not truth.any():
        return
    values = tenths / 7 + 0.05
    expected = {"auc": roc_auc_score, "average_precision": average_precision_score, "log_loss": log_loss}
    for name, measure in METRICS.items():
        found = measure(truth, values)(weight)
        assert found == pytest.approx(expected[name](truth, values, sample_weight=weight)), name


def test_a_challenger_that_knows_more_is_promoted() -> None:
    decision = decided(compared(TRUTH, guess(2.0), guess(0.0), USERS))
    assert decision.verdict == "promote"
    assert "auc" in decision.why


def test_one_that_knows_less_is_not() -> None:
    decision = decided(compared(TRUTH, guess(0.0), guess(2.0), USERS))
    assert decision.verdict == "keep"
    assert "worse" in decision.why


def test_one_that_is_as_good_is_not_either() -> None:
    differences = compared(TRUTH, guess(0.5, seed=1), guess(0.5, seed=2), USERS)
    assert all(one.low < 0 < one.high for one in differences)
    assert decided(differences).why.startswith("no difference is shown")


def test_one_that_ranks_better_and_is_worse_calibrated_is_kept_out() -> None:
    overconfident = probability(8 * ODDS)
    differences = {one.metric: one for one in compared(TRUTH, guess(1.0), overconfident, USERS)}
    assert differences["auc"].favours == "challenger"
    assert differences["log_loss"].favours == "champion"
    assert decided(list(differences.values())).verdict == "keep"


def test_the_same_rows_give_the_same_intervals_and_hold_the_difference() -> None:
    first, second = (compared(TRUTH, guess(1.0), guess(0.5), USERS) for _ in range(2))
    assert first == second
    assert all(one.low < one.difference < one.high for one in first)


def test_rows_of_one_user_tell_less_than_as_many_of_many() -> None:
    truth, before, after = (np.repeat(column[:300], 10) for column in (TRUTH, guess(2.0), guess(1.0)))
    alike, apart = (
        compared(truth, before, after, users)[2] for users in (np.repeat(np.arange(300), 10), np.arange(3_000))
    )
    assert alike.difference == apart.difference
    assert alike.high - alike.low > 2 * (apart.high - apart.low)
