"""Scaling: zero mean and unit spread of the logarithms, and nothing from columns that never varied."""

import numpy as np

from app.training.scaling import fit_scaling


def test_scaled_logarithms_have_zero_mean_and_unit_spread() -> None:
    features = np.random.default_rng(0).lognormal(2, 1, size=(500, 3))
    scaled = fit_scaling(features, np.ones(500)).apply(features)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-4)


def test_a_column_that_varies_in_a_handful_of_rows_does_not_count() -> None:
    features = np.ones((500, 2))
    features[:19, 0] = 7
    features[:20, 1] = 7
    factor = fit_scaling(features, np.ones(500)).factor
    assert factor[0] == 0
    assert factor[1] > 0


def test_rows_without_weight_do_not_move_the_mean() -> None:
    features = np.concatenate([np.zeros((50, 1)), np.full((50, 1), 100.0)])
    assert fit_scaling(features, np.repeat([1.0, 0.0], 50)).mean[0] == 0


def test_folded_weights_equal_weights_on_scaled_logarithms() -> None:
    random = np.random.default_rng(1)
    features = random.lognormal(2, 1, size=(200, 4))
    scaling = fit_scaling(features, np.ones(200))
    weight, bias = random.normal(size=(4, 3)).astype(np.float32), random.normal(size=3).astype(np.float32)
    folded, moved = scaling.folded(weight, bias)
    np.testing.assert_allclose(np.log1p(features) @ folded + moved, scaling.apply(features) @ weight + bias, atol=1e-4)
