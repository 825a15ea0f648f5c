"""Metrics and calibration, on cases that can be worked out by hand."""

import numpy as np

from app.training.baselines import logistic_intents, prior_intents
from app.training.calibrating import log_odds, platt, probability, temperature
from app.training.figures import auc_gain, best_threshold, binary_figures, card_precision, class_figures


def test_a_constant_has_no_ranking_and_the_rate_as_its_precision() -> None:
    truth = np.array([True, False, False, False])
    figures = binary_figures(truth, np.full(4, 0.25))
    assert (figures["auc"], figures["average_precision"], figures["rate"]) == (0.5, 0.25, 0.25)


def test_a_perfect_ranking_has_both_areas_one() -> None:
    figures = binary_figures(np.array([False, True, True]), np.array([0.1, 0.8, 0.9], np.float32))
    assert (figures["auc"], figures["average_precision"]) == (1.0, 1.0)


def test_the_best_threshold_is_the_lowest_probability_worth_a_yes() -> None:
    assert best_threshold(np.array([False, False, True, True]), np.array([0.1, 0.3, 0.4, 0.9])) == 0.4


def test_macro_f1_is_over_the_intents_that_occur() -> None:
    truth = np.array([0, 0, 3])
    figures = class_figures(truth, np.eye(7)[truth])
    assert (figures["macro_f1"], figures["accuracy"]) == (1.0, 1.0)


def test_card_precision_counts_a_card_once_and_not_again_after_it_was_caught() -> None:
    card = np.array([1, 1, 2, 3, 1, 2, 4])
    day = np.array([0, 0, 0, 0, 1, 1, 1])
    truth = np.array([False, True, False, False, True, False, True])
    risk = np.array([0.9, 0.1, 0.5, 0.2, 0.99, 0.3, 0.8])
    # Day 0 looks at cards 1 (caught) and 2, day 1 at 4 (caught) and 2: card 1 is out.
    assert card_precision(truth, risk, card, day, top=2) == 0.5


def test_the_gain_over_a_baseline_is_an_interval_over_users() -> None:
    random = np.random.default_rng(0)
    user = np.repeat(np.arange(100), 20)
    truth = random.random(2_000) < 0.3
    noise = random.normal(size=2_000)
    assert auc_gain(truth, noise, noise, user, seed=1, draws=40) == {"auc_gain_low": 0, "auc_gain_high": 0}
    gain = auc_gain(truth, noise + truth, noise, user, seed=1, draws=40)
    assert 0.15 < gain["auc_gain_low"] < gain["auc_gain_high"] < 0.4


def test_platt_undoes_a_distortion() -> None:
    random = np.random.default_rng(0)
    odds = random.normal(size=40_000)
    truth = random.random(40_000) < probability(odds)
    slope, offset = platt(probability(2 * odds + 1), truth, np.ones(40_000))
    np.testing.assert_allclose([slope, offset], [0.5, -0.5], atol=0.05)


def test_log_odds_of_certainty_are_finite() -> None:
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


def test_the_temperature_cools_overconfidence() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (random.random((20_000, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    sharp = np.exp(1.5 * logits) / np.exp(1.5 * logits).sum(axis=1, keepdims=True)
    assert abs(temperature(sharp, truth, np.ones(20_000)) - 1.5) < 0.1


def test_baselines_give_a_distribution_over_all_intents_also_those_never_seen() -> None:
    truth = np.array([0, 3, 3, 3])
    assert prior_intents(truth, 2)[1].tolist() == [0.25, 0, 0, 0.75, 0, 0, 0]
    inputs = np.array([[0.0], [1], [2], [1]], np.float32)
    found = logistic_intents(inputs, truth, inputs)
    assert found.shape == (4, 7)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_draws_of_users_that_are_all_alike_say_nothing_and_are_left_out() -> None:
    truth, guess = np.array([True, False]), np.array([0.9, 0.1])
    gain = auc_gain(truth, guess, guess, np.array([1, 2]), seed=1, draws=20)
    assert gain == {"auc_gain_low": 0, "auc_gain_high": 0}
    assert auc_gain(truth | True, guess, guess, np.array([1, 2]), seed=1, draws=20) == {}
