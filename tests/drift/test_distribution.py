"""The population stability index against a plain computation, and what it must be where it is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.drift.distribution import Distribution, bins_of, reference_of

NAMES = ["price", "hour", "is_page_viewed"]


def drawn(rows: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Features [rows, 3] and scores [rows]; ``shift`` moves the price."""
    random = np.random.default_rng(seed)
    price, flag = random.exponential(20, rows) + shift, random.random(rows) < 0.03
    features = np.column_stack((price, np.full(rows, seed % 24), flag)).astype(np.float32)
    return features, random.beta(1, 9, rows).astype(np.float32)


def trained(rows: int = 20_000) -> Distribution:
    return Distribution(reference_of(NAMES, *drawn(rows, 1), np.ones(rows)), NAMES)


def test_rows_like_those_of_the_training_have_not_drifted() -> None:
    distribution = trained()
    assert distribution.names == ("price", "is_page_viewed", "score")
    assert distribution.psi(distribution.counts(*drawn(5_000, 2))).max() < 0.02


def test_what_moved_is_told_from_what_did_not() -> None:
    distribution = trained()
    price, flag, score = distribution.psi(distribution.counts(*drawn(5_000, 3, shift=15))).tolist()
    assert price > 0.25 > 0.02 > max(flag, score)


def test_a_rare_flag_that_becomes_frequent_and_a_constant_that_varies_are_seen() -> None:
    features = np.zeros((1_000, 3), np.float32)
    distribution = Distribution(reference_of(NAMES, features, features[:, 0], np.ones(1_000)), NAMES)
    features[::2, 2] = 1
    assert distribution.psi(distribution.counts(features, features[:, 0]))[1] > 0.25


def test_the_index_is_that_of_its_definition() -> None:
    values = np.arange(1, 101, dtype=np.float32)
    bins = bins_of("x", values, np.ones(100))
    assert bins.edges == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert bins.shares == [0.1] * 10
    distribution = Distribution(reference_of(["x"], values[:, None], values, np.ones(100)), ["x"])
    found = np.array([5] * 30 + [95] * 70, np.float32)
    shares = np.array([0.3, *[1e-4] * 8, 0.7])
    expected = ((shares - 0.1) * np.log(shares / 0.1)).sum()
    assert distribution.psi(distribution.counts(found[:, None], found))[0] == pytest.approx(expected)


def test_rows_count_by_their_weight() -> None:
    values = np.array([0] * 90 + [1] * 10, np.float32)
    bins = bins_of("x", values, np.where(values > 0, 9.0, 1.0))
    assert bins.shares[0] == pytest.approx(0.5)


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float32, st.tuples(st.integers(1, 60), st.just(3)), elements=st.floats(-9, 9, width=32)),
    st.integers(0, 60),
)
def test_counts_of_parts_add_up_to_those_of_the_whole(features: np.ndarray, cut: int) -> None:
    distribution, scores = trained(200), features[:, 0]
    parts = distribution.counts(features[:cut], scores[:cut]) + distribution.counts(features[cut:], scores[cut:])
    np.testing.assert_array_equal(parts, distribution.counts(features, scores))
    assert (distribution.psi(parts) >= 0).all()


def test_scores_that_are_not_finite_are_left_out_and_no_rows_have_not_drifted() -> None:
    distribution = trained()
    features, scores = drawn(4_000, 4)
    scores[:3_000] = np.nan
    assert distribution.psi(distribution.counts(features, scores)).max() < 0.05
    assert distribution.psi(distribution.empty()).max() == 0


def test_a_reference_of_another_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="price"):
        Distribution(reference_of(NAMES, *drawn(100, 1), np.ones(100)), ["other"])
