"""The additive risk model: the graph equals the trainer, and its contributions are the whole story."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.models.manifest import ScoreMapping
from app.models.runtime import RiskModel
from app.models.session import session_of
from app.training.ramps import fit_ramps
from app.training.risk_graph import RiskWeights, risk_graph


@pytest.fixture
def features() -> NDArray[np.float32]:
    values = np.random.default_rng(0).lognormal(2, 1, size=(400, 4)).astype(np.float32)
    values[:, 2] = 3
    return values


@pytest.fixture
def weights(features: NDArray[np.float32]) -> RiskWeights:
    random = np.random.default_rng(1)
    ramps = fit_ramps(features, features[:, 0] > 20)
    steps = random.normal(size=ramps.starts.shape).astype(np.float32)
    return RiskWeights(ramps, steps, random.normal(size=4).astype(np.float32), -1.5)


def model_of(weights: RiskWeights) -> RiskModel:
    return RiskModel(session_of(risk_graph(weights)), "risk", "test", ScoreMapping(0.1, 0.5))


def log_odds(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = probability.astype(np.float64)
    return np.asarray(np.log(wide / (1 - wide)))


def test_the_graph_equals_the_trainer(features: NDArray[np.float32], weights: RiskWeights) -> None:
    scores = model_of(weights).score(features)
    expected = 1 / (1 + np.exp(-weights.log_odds(features)))
    np.testing.assert_allclose(scores.probability, expected, atol=1e-5)


def test_contributions_and_the_base_add_up_to_the_log_odds(features: NDArray[np.float32], weights: RiskWeights) -> None:
    scores = model_of(weights).score(features)
    total = scores.contributions.sum(axis=1) + weights.base
    np.testing.assert_allclose(total, log_odds(scores.probability), atol=1e-3)


def test_a_feature_that_never_varied_contributes_the_same_whatever_its_value(
    features: NDArray[np.float32], weights: RiskWeights
) -> None:
    usual = model_of(weights).score(features).contributions
    features[:, 2] = np.linspace(0, 1e9, len(features))
    np.testing.assert_array_equal(model_of(weights).score(features).contributions, usual)


def test_values_beyond_training_count_like_the_outermost(features: NDArray[np.float32], weights: RiskWeights) -> None:
    model = model_of(weights)
    most = features[[features[:, 0].argmax()]].copy()
    beyond = most.copy()
    beyond[:, 0] = 1e12
    np.testing.assert_allclose(model.score(beyond).contributions, model.score(most).contributions, atol=1e-3)


def test_calibration_scales_log_odds_and_contributions_alike(
    features: NDArray[np.float32], weights: RiskWeights
) -> None:
    before, after = model_of(weights).score(features), model_of(weights.calibrated(0.5, 0.25)).score(features)
    np.testing.assert_allclose(log_odds(after.probability), log_odds(before.probability) * 0.5 + 0.25, atol=1e-3)
    np.testing.assert_allclose(after.contributions, before.contributions * 0.5, atol=1e-4)


def test_no_orders_give_no_scores(weights: RiskWeights) -> None:
    scores = model_of(weights).score(np.zeros((0, 4), np.float32))
    assert scores.probability.shape == (0,)
    assert scores.contributions.shape == (0, 4)


def test_a_limit_that_frauds_keep_to_lies_between_near_knots() -> None:
    amounts = np.random.default_rng(0).uniform(1, 240, size=(5_000, 1)).astype(np.float32)
    ramps = fit_ramps(amounts, amounts[:, 0] > 220)
    below, above = ramps.apply(np.array([[219.0], [221.5]], np.float32))
    assert 0 <= np.abs(above - below).sum() <= 2
    assert (above - below).max() > 0.5
