"""What the payment model sees at an order: velocities of card and terminal, and the order itself."""

from app.features.inputs import OrderInputs

_WINDOWS = ("24h", "7d", "30d")
_VELOCITIES = (
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
PAYMENT_INPUTS = OrderInputs([*_VELOCITIES, "amount", "time_of_day", "is_weekend", "is_night"])
