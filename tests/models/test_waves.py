"""A batch in waves is the same as one click at a time, in no more calls than the busiest user has clicks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.models.runtime import IntentScores
from app.models.waves import score_waves
from tests.models.builders import CountingModel, Floats

USERS = 6


@given(st.lists(st.integers(0, USERS - 1), max_size=40))
def test_waves_equal_one_click_at_a_time(clicks: list[int]) -> None:
    user = np.array(sorted(clicks), np.int64)
    rank = np.array([int((user[:i] == user[i]).sum()) for i in range(len(user))], np.int64)
    random = np.random.default_rng(len(clicks))
    features = random.normal(size=(len(user), 3)).astype(np.float32)
    hidden = random.normal(size=(USERS, 2)).astype(np.float32)
    alone, together = hidden.copy(), hidden.copy()

    model = CountingModel()
    probabilities, purchase, _ = score_waves(model, features, together, user, rank)
    assert model.calls == (rank.max() + 1 if len(rank) else 0)

    for i, row in enumerate(user):
        one = model.score(features[i : i + 1], alone[row : row + 1])
        alone[row] = one.hidden[0]
        np.testing.assert_allclose(probabilities[i], one.probabilities[0], atol=1e-5)
        np.testing.assert_allclose(purchase[i], one.purchase[0], atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_rows_may_come_in_any_order_of_users() -> None:
    user, rank = np.array([2, 0, 2, 1]), np.array([0, 0, 1, 0])
    features = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    hidden = np.zeros((3, 2), np.float32)
    probabilities, _, _ = score_waves(CountingModel(), features, hidden, user, rank)
    first = CountingModel().score(features[:1], np.zeros((1, 2), np.float32))
    second = CountingModel().score(features[2:3], first.hidden)
    np.testing.assert_allclose(probabilities[2], second.probabilities[0], atol=1e-6)


def test_users_that_are_not_in_the_batch_keep_their_state() -> None:
    hidden = np.ones((3, 2), np.float32)
    score_waves(CountingModel(), np.zeros((1, 3), np.float32), hidden, np.array([1]), np.array([0]))
    assert (hidden[[0, 2]] == 1).all()
    assert (hidden[1] != 1).all()


def test_waves_of_the_same_users_go_in_one_call() -> None:
    class Turns(CountingModel):
        def __init__(self) -> None:
            super().__init__()
            self.shapes: list[tuple[int, ...]] = []

        def score_in_turn(self, features: Floats, hidden: Floats) -> IntentScores:
            self.shapes.append(features.shape)
            return super().score_in_turn(features, hidden)

    model, user = Turns(), np.repeat([0, 1, 2], [9, 4, 4])
    rank = np.concatenate([np.arange(9), np.arange(4), np.arange(4)])
    score_waves(model, np.zeros((17, 3), np.float32), np.zeros((3, 2), np.float32), user, rank)
    assert model.shapes == [(4, 3, 3), (5, 1, 3)]
