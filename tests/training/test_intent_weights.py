"""The ONNX graph computes what the trainer trained."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from app.models.runtime import IntentModel
from app.training.fitting import Inputs
from app.training.gru import heads
from app.training.intent_weights import Calibration, IntentWeights, calibrated, initial_weights
from app.training.scaling import fit_scaling
from app.training.tables import Tables

NUMBERS, HIDDEN, STEPS, USERS, BUCKETS, OFTEN = 9, 32, 40, 25, 12, 5
KNOWN = 4


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logits)))


@dataclass(frozen=True)
class Drawn:
    """A random model, and raw features [steps, users, NUMBERS + 2] that end with the two buckets."""

    weights: IntentWeights
    inputs: Inputs
    features: NDArray[np.float32]

    def model(self, calibration: Calibration | None = None) -> IntentModel:
        weights = calibrated(self.weights, calibration) if calibration else self.weights
        return self.inputs.model(weights)

    def columns(self) -> NDArray[np.float32]:
        """What the trainer gets [steps, users, F]."""
        numbers = self.inputs.scaling.apply(self.features[..., :NUMBERS])
        product, category = (self.features[..., column].astype(int) for column in (NUMBERS, NUMBERS + 1))
        tables = self.inputs.tables
        return np.concatenate([numbers, tables.categories[category], tables.products[product]], axis=-1)


@pytest.fixture
def drawn() -> Drawn:
    return draw(HIDDEN)


def draw(units: int) -> Drawn:
    random = np.random.default_rng(3)
    weights = initial_weights(NUMBERS + 2 * KNOWN, OFTEN, units, random)
    weights = IntentWeights(*(array + random.normal(size=array.shape).astype(np.float32) * 0.3 for array in weights))
    features = random.lognormal(1, 2, size=(STEPS, USERS, NUMBERS + 2)).astype(np.float32)
    features[..., 0] = 1
    features[..., NUMBERS:] = random.integers(0, BUCKETS, (STEPS, USERS, 2))
    scaling = fit_scaling(features[..., :NUMBERS].reshape(-1, NUMBERS), np.ones(STEPS * USERS))
    tables = Tables(*(random.normal(size=(BUCKETS, KNOWN)).astype(np.float32) for _ in range(2)))
    often = np.arange(OFTEN) * 2
    return Drawn(weights, Inputs(scaling, tables, np.zeros((0, 0), np.float32), often, np.zeros(0, np.int64)), features)


def a_calibration() -> Calibration:
    found = Calibration.none()
    found.slope[:7], found.slope[7:11], found.offset[7:11], found.slope[11:] = 1 / 1.3, 0.8, -0.4, 1.1
    return found


@pytest.mark.parametrize(
    ("units", "calibration"), [(HIDDEN, Calibration.none()), (HIDDEN, a_calibration()), (96, a_calibration())]
)
def test_a_thousand_steps_equal_the_trainers(units: int, calibration: Calibration) -> None:
    drawn = draw(units)
    product = drawn.features[..., NUMBERS].astype(int)
    place = np.where((product % 2 == 0) & (product < 2 * OFTEN), product // 2, 0)
    logits, last = heads(
        IntentWeights(*map(jnp.asarray, drawn.weights)),
        jnp.asarray(drawn.columns()),
        jnp.asarray(place),
        jnp.zeros((STEPS, USERS), jnp.bool_),
        jnp.zeros((USERS, units)),
    )
    wide = np.asarray(logits, np.float64) * calibration.slope + calibration.offset
    model = drawn.model(calibration)
    assert model.units == units
    hidden = np.zeros((USERS, units), np.float32)
    for step in range(STEPS):
        scores = model.score(drawn.features[step], hidden)
        hidden = scores.hidden
        np.testing.assert_allclose(scores.probabilities, softmax(wide[step, :, :7]), atol=1e-5)
        np.testing.assert_allclose(scores.purchase, sigmoid(wide[step, :, 7]), atol=1e-5)
        assert scores.outlook is not None
        expected = np.hstack([sigmoid(wide[step, :, 8:11]), softmax(wide[step, :, 11:])])
        np.testing.assert_allclose(scores.outlook, expected, atol=1e-5)
    np.testing.assert_allclose(hidden, np.asarray(last), atol=1e-5)


def test_a_column_that_never_varied_cannot_blow_up_in_production(drawn: Drawn) -> None:
    model = drawn.model()
    hidden = np.zeros((USERS, HIDDEN), np.float32)
    usual = model.score(drawn.features[0], hidden)
    unseen = drawn.features[0].copy()
    unseen[:, 0] = 1e12
    np.testing.assert_array_equal(model.score(unseen, hidden).purchase, usual.purchase)


def test_the_largest_amounts_give_finite_scores(drawn: Drawn) -> None:
    largest = np.full((1, NUMBERS + 2), np.finfo(np.float32).max, np.float32)
    largest[:, NUMBERS:] = BUCKETS - 1
    scores = drawn.model().score(largest, np.zeros((1, HIDDEN), np.float32))
    assert np.isfinite(scores.hidden).all()
    assert np.isfinite(scores.probabilities).all()


def test_the_same_weights_give_the_same_bytes(drawn: Drawn) -> None:
    assert drawn.inputs.graph(drawn.weights) == drawn.inputs.graph(drawn.weights)
