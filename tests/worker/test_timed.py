"""Models that tell the time of their calls, also of those that fail."""

import itertools

import numpy as np
import pytest

from app.features.clicks import CLICK_FEATURES
from app.features.orders import ORDER_FEATURES
from app.models.runtime import Floats, IntentScores
from app.state.rows import HIDDEN_UNITS
from app.step import Models
from app.worker.timed import timed
from tests.fakes import FakeIntentModel, fake_models
from tests.ops.clock import Clock


class Failing(FakeIntentModel):
    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        raise RuntimeError("out of memory")


def zeros(columns: int) -> Floats:
    return np.zeros((2, columns), np.float32)


def test_it_tells_every_call_and_answers_as_the_model_does() -> None:
    plain, seconds, told = fake_models(), itertools.count(0.0), list[tuple[str, str, int, float]]()
    ticking = timed(plain, lambda: next(seconds), lambda *call: told.append(call))
    features, hidden = zeros(len(CLICK_FEATURES)), zeros(HIDDEN_UNITS)
    assert ticking.intent.score(features, hidden).purchase == pytest.approx(
        plain.intent.score(features, hidden).purchase
    )
    orders = zeros(len(ORDER_FEATURES))
    assert ticking.risk.score(orders).probability == pytest.approx(plain.risk.score(orders).probability)
    assert told == [("fake-intent", "1", 2, 1.0), ("fake-risk", "1", 2, 1.0)]
    assert (ticking.risk.version, ticking.risk.mapping) == (plain.risk.version, plain.risk.mapping)


def test_a_call_that_fails_is_told_too() -> None:
    clock, told = Clock(), list[tuple[str, str, int, float]]()
    ticking = timed(Models(Failing(), fake_models().risk), clock, lambda *call: told.append(call))
    with pytest.raises(RuntimeError, match="out of memory"):
        ticking.intent.score(zeros(len(CLICK_FEATURES)), zeros(HIDDEN_UNITS))
    assert told == [("fake-intent", "1", 2, 0.0)]
