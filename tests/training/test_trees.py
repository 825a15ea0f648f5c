"""Boosted trees as a graph: the same probabilities, and reasons that add up to them."""

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from app.models.session import session_of
from app.training.calibrating import log_odds
from app.training.trees import Trees, trees_graph, trees_of

ROWS, FEATURES = 1_000, 5


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """More take turns on a busy machine."""
    with threadpool_limits(1, user_api="openmp"):
        yield


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    random = np.random.default_rng(7)
    found = random.normal(size=(ROWS, FEATURES)).astype(np.float32)
    found[:, 4] = np.round(found[:, 4])  # so that values and thresholds come close
    found[random.random(ROWS) < 0.1, 2] = np.nan
    return found


@pytest.fixture(scope="module")
def fitted(inputs: np.ndarray) -> HistGradientBoostingClassifier:
    truth = (inputs[:, 0] * inputs[:, 1] > 0.3) | (np.nan_to_num(inputs[:, 2]) > 1.2)
    return HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, random_state=1).fit(inputs, truth)


def run(trees: Trees, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probability, contributions = session_of(trees_graph(trees)).run(
        ["probability", "contributions"], {"features": inputs}
    )
    return probability[:, 0], contributions


def test_the_graph_gives_the_probabilities_of_the_learner(
    fitted: HistGradientBoostingClassifier, inputs: np.ndarray
) -> None:
    probability, _ = run(trees_of(fitted, np.arange(FEATURES)), inputs)
    np.testing.assert_allclose(probability, fitted.predict_proba(inputs)[:, 1], atol=1e-5)


def test_contributions_and_the_base_are_the_log_odds_and_name_the_features_that_matter(
    fitted: HistGradientBoostingClassifier, inputs: np.ndarray
) -> None:
    trees = trees_of(fitted, np.arange(FEATURES))
    probability, contributions = run(trees, inputs)
    np.testing.assert_allclose(contributions.sum(axis=1) + trees.base, log_odds(probability), atol=1e-3)
    assert set(np.abs(contributions).mean(axis=0).argsort()[-3:].tolist()) == {0, 1, 2}
    np.testing.assert_allclose(contributions.mean(axis=0).sum(), 0, atol=0.05)


def test_a_column_that_repeats_a_feature_is_told_as_that_feature(inputs: np.ndarray) -> None:
    doubled = np.column_stack([inputs[:, :1], np.maximum(inputs[:, 0], 1)])
    fitted = HistGradientBoostingClassifier(max_iter=20, random_state=1).fit(doubled, inputs[:, 0] > 1.3)
    probability, contributions = run(trees_of(fitted, np.array([0, 0])), inputs[:, :1])
    assert contributions.shape == (ROWS, 1)
    np.testing.assert_allclose(probability, fitted.predict_proba(doubled)[:, 1], atol=1e-5)


def test_calibration_scales_log_odds(fitted: HistGradientBoostingClassifier, inputs: np.ndarray) -> None:
    trees = trees_of(fitted, np.arange(FEATURES))
    before, after = run(trees, inputs)[0], run(trees.calibrated(0.5, -1), inputs)[0]
    np.testing.assert_allclose(log_odds(after), log_odds(before) * 0.5 - 1, atol=1e-3)
