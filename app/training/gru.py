"""Trains the intent model with JAX: a recurrent network along users' histories, cut for backpropagation only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from app.training.intent_weights import IntentWeights
from schemas.outputs import INTENTS

# Small matrices: the CPU is the fastest and gives the same bits every time.
jax.config.update("jax_platforms", "cpu")

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Updated = tuple[IntentWeights, IntentWeights, optax.OptState, jax.Array]


@dataclass(frozen=True)
class Examples:
    """Clicks [n] sorted by user, then by order: scaled inputs [n, F], the ``first`` click of each user [n], the labels
    [n], and how much each click counts [n]; one that counts 0 only carries the state on."""

    inputs: Floats
    first: NDArray[np.bool_]
    intent: Ints
    purchase: NDArray[np.bool_]
    weight: Floats


@dataclass(frozen=True)
class GruSettings:
    """How to train; chosen on earlier days than the figures are measured on.

    ``steps`` is how far the gradient reaches back, while the state itself goes on. ``averaging`` is the share of the
    old in the running average of the weights that becomes the model.
    """

    epochs: int = 12
    lanes: int = 128
    steps: int = 32
    rate: float = 1e-2
    decay: float = 0.3
    averaging: float = 0.99
    purchase_share: float = 0.5


def heads(
    weights: IntentWeights, inputs: jax.Array, first: jax.Array, hidden: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Log-odds [T, B, 8] at each step of B lanes, and the states [B, H] after the last.

    Args:
        weights: the model.
        inputs: scaled features [T, B, F].
        first: where a lane goes on to another user [T, B].
        hidden: states before the first step [B, H].
    """
    width = weights.candidate_bias.shape[0]
    gates_in = inputs @ weights.gates_in + weights.gates_bias

    def step(hidden: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        gates_in, first = at
        hidden = jnp.where(first[:, None], 0.0, hidden)
        gates = jax.nn.sigmoid(gates_in[:, : 2 * width] + hidden @ weights.gates_hidden)
        update, reset = gates[:, :width], gates[:, width:]
        from_hidden = hidden @ weights.candidate_hidden + weights.candidate_bias
        candidate = jnp.tanh(gates_in[:, 2 * width :] + reset * from_hidden)
        hidden = candidate + update * (hidden - candidate)
        return hidden, hidden

    last, every = jax.lax.scan(step, hidden, (gates_in, first))
    return every @ weights.heads_hidden + inputs @ weights.heads_in + weights.heads_bias, last


def train_gru(
    weights: IntentWeights,
    examples: Examples,
    settings: GruSettings,
    random: np.random.Generator,
    after_epoch: Callable[[int, IntentWeights], None],
) -> None:
    """Train from ``weights`` on; ``after_epoch`` gets each epoch's number, from 1, and its weights."""
    segments = _segments(len(examples.first), settings)
    rate = optax.cosine_decay_schedule(settings.rate, settings.epochs * segments, alpha=0.02)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=settings.decay))
    update = _update(optimiser, settings)
    latest = average = IntentWeights(*map(jnp.asarray, weights))
    state = optimiser.init(latest)
    for epoch in range(1, settings.epochs + 1):
        hidden = jnp.zeros((settings.lanes, weights.candidate_bias.shape[0]))
        for rows, real in _lanes(examples, settings, random):
            batch = (
                examples.inputs[rows],
                examples.first[rows],
                examples.intent[rows],
                examples.purchase[rows].astype(np.float32),
                examples.weight[rows] * real,
            )
            latest, average, state, hidden = update(latest, average, state, hidden, *batch)
        after_epoch(epoch, IntentWeights(*(np.asarray(array, np.float32) for array in average)))


def _update(optimiser: optax.GradientTransformation, settings: GruSettings) -> Callable[..., Updated]:
    def loss(weights: IntentWeights, hidden: jax.Array, *batch: jax.Array) -> tuple[jax.Array, jax.Array]:
        inputs, first, intent, purchase, weight = batch
        logits, last = heads(weights, inputs, first, hidden)
        of_intent = optax.softmax_cross_entropy_with_integer_labels(logits[..., : len(INTENTS)], intent)
        of_purchase = optax.sigmoid_binary_cross_entropy(logits[..., -1], purchase)
        each = (1 - settings.purchase_share) * of_intent + settings.purchase_share * of_purchase
        return (each * weight).sum() / jnp.maximum(weight.sum(), 1e-6), last

    def update(
        latest: IntentWeights, average: IntentWeights, state: optax.OptState, hidden: jax.Array, *batch: jax.Array
    ) -> Updated:
        gradient, last = jax.grad(loss, has_aux=True)(latest, hidden, *batch)
        changes, state = optimiser.update(gradient, state, latest)
        latest = optax.apply_updates(latest, changes)
        return latest, optax.incremental_update(latest, average, 1 - settings.averaging), state, last

    jitted: Callable[..., Updated] = jax.jit(update)
    return jitted


def _segments(rows: int, settings: GruSettings) -> int:
    return -(-rows // (settings.lanes * settings.steps))


def _lanes(
    examples: Examples, settings: GruSettings, random: np.random.Generator
) -> Iterator[tuple[Ints, NDArray[np.bool_]]]:
    """Rows [steps, lanes] of each update, and which of them are real: all histories in random order, one after another,
    in as many lanes of equal length. No step is spent on padding but at the end."""
    starts = np.flatnonzero(examples.first)
    ends = np.append(starts[1:], len(examples.first))
    users = random.permutation(len(starts))
    rows = np.concatenate([np.arange(starts[user], ends[user]) for user in users])
    length = _segments(len(rows), settings) * settings.steps
    real = np.arange(settings.lanes * length) < len(rows)
    lanes = np.pad(rows, (0, len(real) - len(rows)), mode="edge").reshape(settings.lanes, length)
    for start in range(0, length, settings.steps):
        part = slice(start, start + settings.steps)
        yield lanes[:, part].T, real.reshape(lanes.shape)[:, part].T
