"""The risk score: 0 to 100, with the contract's bands exactly where the probabilities of the manifest are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.models.manifest import ScoreMapping
from app.models.score import risk_score

MAPPING = ScoreMapping(p_elevated=0.2, p_highest=0.6)
probabilities = st.floats(0, 1, allow_nan=False)


def test_the_corners() -> None:
    p = np.array([0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert risk_score(p, MAPPING).tolist() == [0, 32, 65, 70, 75, 87, 100]


@given(st.lists(st.floats(1e-6, 1 - 1e-6), min_size=2, max_size=2, unique=True), probabilities)
def test_bands_are_exact_for_every_probability(limits: list[float], p: float) -> None:
    low, high = sorted(limits)
    near = np.array([p, low, high, np.nextafter(low, 0), np.nextafter(high, 0)])
    score = risk_score(near, ScoreMapping(low, high))
    assert ((score >= 65) == (near >= low)).all()
    assert ((score >= 75) == (near >= high)).all()
    assert ((score >= 0) & (score <= 100)).all()


@given(st.lists(probabilities, min_size=2))
def test_a_higher_probability_never_scores_lower(values: list[float]) -> None:
    assert (np.diff(risk_score(np.array(sorted(values)), MAPPING)) >= 0).all()
