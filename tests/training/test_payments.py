"""The payment model on made-up payments: known victims, and figures of a model that learned."""

import numpy as np

from app.features.payments import PAYMENT_INPUTS
from app.models.manifest import DataFile
from app.training.payment_sets import Payments
from app.training.payments import LEARN, MEASURE, fit_payments

DAY_MS = 86_400_000
START = round(LEARN[0].timestamp() * 1000)
DAYS = (MEASURE[1] - LEARN[0]).days


def made_up(rows: int = 4_000) -> Payments:
    """Three weeks, in which payments above 220 are frauds, and one in three at a terminal with known frauds."""
    random = np.random.default_rng(3)
    names = PAYMENT_INPUTS.names
    features = random.gamma(2, 1, (rows, len(names))).astype(np.float32)
    amount = random.gamma(2, 35, rows)
    streak = random.random(rows) < 0.02
    features[:, names.index("amount")] = amount
    features[:, names.index("merchant_fraud_streak_up_to_220_30d_after_7d")] = streak
    fraud = (amount > 220) | (streak & (random.random(rows) < 1 / 3))
    ts = START + np.sort(random.integers(0, DAYS * DAY_MS, rows))
    return Payments(random.integers(0, 1_000, rows), ts, features, fraud)


def test_cards_of_known_frauds_are_left_out_from_the_eighth_day_on() -> None:
    card = np.array([1, 1, 1, 2, 2])
    ts = START + np.array([0, 7, 8, 0, 8]) * DAY_MS
    rows = Payments(card, ts, np.zeros((5, 1), np.float32), np.array([True, False, False, False, False]))
    assert rows.unknown(LEARN[0]).tolist() == [True, True, False, True, True]
    assert rows.unknown(MEASURE[0]).all()


def test_it_learns_what_there_is_to_learn_and_says_where_a_team_should_look() -> None:
    trained = fit_payments(made_up(), DataFile("made up", "0" * 64, "none", 4_000), "1", "2026-01-01T00:00:00+00:00")
    figures = trained.manifest.metrics["payments_handbook"]
    assert figures["model"]["average_precision"] > figures["logistic"]["average_precision"] > 0.2
    assert figures["model"]["recall_at_1pct_fpr"] > 0.6
    assert b">payments_handbook: fraud<" in trained.files["curves.svg"]
    mapping = trained.manifest.score_mapping
    assert mapping is not None
    assert 0 < mapping.p_elevated < mapping.p_highest < 1
