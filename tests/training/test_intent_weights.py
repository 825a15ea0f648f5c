"""The ONNX graph computes what the trainer trained."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from app.models.runtime import IntentModel
from app.training.gru import heads
from app.training.intent_weights import Calibration, IntentWeights, calibrated, initial_weights, intent_graph
from app.training.scaling import Scaling, fit_scaling

FEATURES, HIDDEN, STEPS, USERS = 9, 32, 40, 25


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logits)))


@pytest.fixture
def drawn() -> tuple[IntentWeights, Scaling, NDArray[np.float32]]:
    random = np.random.default_rng(3)
    weights = initial_weights(FEATURES, HIDDEN, random)
    weights = IntentWeights(*(array + random.normal(size=array.shape).astype(np.float32) * 0.3 for array in weights))
    features = random.lognormal(1, 2, size=(STEPS, USERS, FEATURES)).astype(np.float32)
    features[..., 0] = 1
    return weights, fit_scaling(features.reshape(-1, FEATURES), np.ones(STEPS * USERS)), features


def model_of(weights: IntentWeights, scaling: Scaling) -> IntentModel:
    return IntentModel(intent_graph(weights, scaling), "intent", "test")


@pytest.mark.parametrize("calibration", [Calibration(), Calibration(temperature=1.3, slope=0.8, offset=-0.4)])
def test_a_thousand_steps_equal_the_trainers(
    drawn: tuple[IntentWeights, Scaling, NDArray[np.float32]], calibration: Calibration
) -> None:
    weights, scaling, features = drawn
    inputs = scaling.apply(features.reshape(-1, FEATURES)).reshape(features.shape)
    first = np.zeros((STEPS, USERS), np.bool_)
    logits, last = heads(
        IntentWeights(*map(jnp.asarray, weights)), jnp.asarray(inputs), jnp.asarray(first), jnp.zeros((USERS, HIDDEN))
    )
    wide = np.asarray(logits, np.float64)
    model = model_of(calibrated(weights, calibration), scaling)
    hidden = np.zeros((USERS, HIDDEN), np.float32)
    for step in range(STEPS):
        scores = model.score(features[step], hidden)
        hidden = scores.hidden
        expected = sigmoid(wide[step, :, -1] * calibration.slope + calibration.offset)
        np.testing.assert_allclose(scores.purchase, expected, atol=1e-5)
        expected = softmax(wide[step, :, :-1] / calibration.temperature)
        np.testing.assert_allclose(scores.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(hidden, np.asarray(last), atol=1e-5)


def test_a_column_that_never_varied_cannot_blow_up_in_production(
    drawn: tuple[IntentWeights, Scaling, NDArray[np.float32]],
) -> None:
    weights, scaling, features = drawn
    model = model_of(weights, scaling)
    hidden = np.zeros((USERS, HIDDEN), np.float32)
    usual = model.score(features[0], hidden)
    unseen = features[0].copy()
    unseen[:, 0] = 1e12
    np.testing.assert_array_equal(model.score(unseen, hidden).purchase, usual.purchase)


def test_the_largest_amounts_give_finite_scores(drawn: tuple[IntentWeights, Scaling, NDArray[np.float32]]) -> None:
    weights, scaling, _ = drawn
    scores = model_of(weights, scaling).score(
        np.full((1, FEATURES), np.finfo(np.float32).max, np.float32), np.zeros((1, HIDDEN), np.float32)
    )
    assert np.isfinite(scores.hidden).all()
    assert np.isfinite(scores.probabilities).all()


def test_the_same_weights_give_the_same_bytes(drawn: tuple[IntentWeights, Scaling, NDArray[np.float32]]) -> None:
    weights, scaling, _ = drawn
    assert intent_graph(weights, scaling) == intent_graph(weights, scaling)
