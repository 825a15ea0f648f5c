"""Training along histories: every click once, in order, and a memory that is learned."""

import jax.numpy as jnp
import numpy as np
import pytest

from app.training.gru import Examples, GruSettings, heads, train_gru
from app.training.gru import _lanes as lanes_of
from app.training.intent_weights import HEADS, IntentWeights, initial_weights
from app.training.questions import QUESTIONS

PURCHASE = QUESTIONS.index("purchase")


def examples_of(lengths: list[int]) -> Examples:
    """Histories whose first click shows a bit, which every later click must remember."""
    random = np.random.default_rng(0)
    total = sum(lengths)
    first = np.zeros(total, np.bool_)
    first[np.cumsum([0, *lengths[:-1]])] = True
    bits = np.repeat(random.integers(0, 2, len(lengths)), lengths)
    inputs = np.stack([np.where(first, bits * 2 - 1, 0), np.ones(total)], axis=1).astype(np.float32)
    answers = np.zeros((total, len(QUESTIONS)), np.int64)
    answers[:, PURCHASE] = bits
    product = np.zeros(total, np.int64)
    return Examples(inputs, product, first, answers, np.ones((total, len(QUESTIONS)), np.float32))


def test_every_click_is_visited_once_and_histories_stay_in_order() -> None:
    examples = examples_of([5, 1, 30, 2, 17])
    settings = GruSettings(lanes=3, steps=4)
    segments = list(lanes_of(examples, settings, np.random.default_rng(1)))
    rows = np.concatenate([rows for rows, _ in segments]).T
    real = np.concatenate([real for _, real in segments]).T
    visited = rows[real]
    assert sorted(visited.tolist()) == list(range(55))
    for lane, kept in zip(rows, real, strict=True):
        steps = np.diff(lane[kept])
        goes_on = ~examples.first[lane[kept][1:]]
        assert (steps[goes_on] == 1).all()


@pytest.mark.slow
def test_the_state_learns_to_remember_across_segments() -> None:
    examples = examples_of([12] * 200)
    asked = tuple(float(question == PURCHASE) for question in range(len(QUESTIONS)))
    settings = GruSettings(
        epochs=20, lanes=10, steps=6, decay=0.0, averaging=0.9, input_dropout=0, state_dropout=0, shares=asked
    )
    seen: list[IntentWeights] = []
    random = np.random.default_rng(2)
    train_gru(initial_weights(2, 1, 8, random), examples, settings, random, lambda _, weights: seen.append(weights))
    inputs = examples.inputs.reshape(200, 12, 2).transpose(1, 0, 2)
    nothing = jnp.zeros((12, 200), jnp.int32)
    logits, _ = heads(
        IntentWeights(*map(jnp.asarray, seen[-1])), jnp.asarray(inputs), nothing, nothing > 0, jnp.zeros((200, 8))
    )
    remembered = np.asarray(logits)[-1, :, HEADS.index("purchase")] > 0
    assert (remembered == examples.answers[:, PURCHASE].reshape(200, 12)[:, -1]).mean() > 0.95
