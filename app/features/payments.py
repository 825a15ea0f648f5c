"""The catalogue of what the payment model sees at an order: velocities of card and terminal, and the order itself."""

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import Feature
from app.velocity.catalogue import BY_NAME
from app.velocity.definitions import DAY_MS, HOUR_MS, Velocity

_WINDOWS = ("24h", "7d", "30d")
_NAMES = (
    *(f"user_{what}_{window}" for window in _WINDOWS for what in ("orders", "value", "mean_value", "max_value")),
    *(f"user_frauds_{window}" for window in _WINDOWS[1:]),
    "user_value_ratio_30d",
    "user_value_zscore_30d",
    "user_genuine_ratio_30d_after_7d",
    "user_genuine_zscore_30d_after_7d",
    *(
        f"user_{what}_{window}"
        for window in ("7d", "14d")
        for what in ("unusual_orders", "since_first_unusual", "since_last_unusual")
    ),
    "user_since_first_fraud_30d",
    "user_since_last_fraud_30d",
    *(f"merchant_{what}_{window}" for window in _WINDOWS for what in ("orders", "frauds")),
    *(f"merchant_{what}_{window}_after_7d" for window in _WINDOWS for what in ("orders", "frauds")),
    *(f"merchant_fraud_share_{window}_after_7d" for window in _WINDOWS[1:]),
    "merchant_since_first_fraud_30d",
    "merchant_since_last_fraud_30d",
    "merchant_since_first_fraud_up_to_220_30d",
    "merchant_since_last_fraud_up_to_220_30d",
    "merchant_since_genuine_30d_after_7d",
    "merchant_fraud_streak_up_to_220_30d_after_7d",
    "merchant_since_streak_up_to_220_30d_after_7d",
)
PAYMENT_VELOCITIES: tuple[Velocity, ...] = tuple(BY_NAME[name] for name in _NAMES)
PAYMENT_FEATURES: tuple[Feature, ...] = (
    *(Feature(velocity.name, velocity.unit, velocity.meaning) for velocity in PAYMENT_VELOCITIES),
    Feature("amount", "major units", "the order's value"),
    Feature("hour", "h", "time of day, UTC"),
    Feature("is_weekend", "0 or 1", "Saturday or Sunday, UTC"),
    Feature("is_night", "0 or 1", "before 06:00 UTC"),
)


def payment_features(
    values: NDArray[np.float64], amounts: NDArray[np.float64], ts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The payment model's inputs [n, G], in the order of ``PAYMENT_FEATURES``.

    Args:
        values: of ``PAYMENT_VELOCITIES`` [n, velocities].
        amounts: in major units [n].
        ts: event times in ms [n].
    """
    hour = (ts % DAY_MS) / HOUR_MS
    weekday = (ts // DAY_MS + 3) % 7
    return np.column_stack((values, amounts, hour, weekday >= 5, hour < 6)).astype(np.float32)
