"""Stand-ins for models: deterministic functions of their inputs, so that equal inputs show as equal outputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import CLICK_FEATURES
from app.features.inputs import RISK_INPUTS, OrderInputs
from app.features.orders import ORDER_FEATURES
from app.models.manifest import ScoreMapping
from app.models.outlook import OUTLOOK
from app.models.runtime import IntentScores, RiskScores, TurnByTurn
from app.state.rows import HIDDEN_UNITS
from app.step import Models

Floats = NDArray[np.float32]


class FakeIntentModel(TurnByTurn):
    """A small recurrent function; each row's result depends on that row alone."""

    name = "fake-intent"

    def __init__(self, version: str = "1", encoder: str | None = "fake", seed: int = 7) -> None:
        self.version, self.encoder = version, encoder
        rng = np.random.default_rng(seed)
        self._weights = rng.normal(size=(len(CLICK_FEATURES), HIDDEN_UNITS)).astype(np.float32) / 20
        self.calls: list[int] = []

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        """Rows of tanh(features' weights + half the state)."""
        self.calls.append(len(features))
        inputs = np.log1p(features)[:, :, None] * self._weights[None]
        after = np.tanh(inputs.sum(axis=1, dtype=np.float64) + hidden / 2).astype(np.float32)
        weights = np.exp(after[:, :7])
        chances: Any = weights / weights.sum(axis=1, keepdims=True)
        outlook = np.abs(after[:, : len(OUTLOOK)])
        return IntentScores(after, chances.astype(np.float32), (after[:, 7] + 1) / 2, outlook)


class FakeRiskModel:
    """An additive function of the order's features."""

    name, version = "fake-risk", "1"
    mapping = ScoreMapping(p_elevated=0.5, p_highest=0.8)
    inputs = RISK_INPUTS

    def score(self, features: Floats) -> RiskScores:
        """Log-odds from the logarithms of all features."""
        contributions = np.round(np.log1p(np.abs(features, dtype=np.float64)) / 10, 3).astype(np.float32)
        odds = contributions.sum(axis=1) - 3
        return RiskScores((1 / (1 + np.exp(-odds))).astype(np.float32), contributions)


class RiskByVelocity(FakeRiskModel):
    """The same of what was ordered at the same device and card; what is not known adds nothing."""

    version = "2"
    inputs = OrderInputs(["device_users_24h", "amount", "user_orders_24h", "card_orders_1h", "device_frauds_30d"])

    def score(self, features: Floats) -> RiskScores:
        """Log-odds from the logarithms of all inputs."""
        return super().score(np.nan_to_num(features) * 10)


class RiskByValue(FakeRiskModel):
    """The probability is the order's value over 100."""

    def score(self, features: Floats) -> RiskScores:
        """Over 1 where the value is over 100."""
        amount = features[:, [feature.name for feature in ORDER_FEATURES].index("amount")]
        return RiskScores(amount / np.float32(100), super().score(features).contributions)


def fake_models() -> Models:
    """Both stand-ins."""
    return Models(FakeIntentModel(), FakeRiskModel())
