"""Trains the intent model with JAX: a recurrent network along users' histories, cut for backpropagation only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from app.state.rows import HIDDEN_UNITS
from app.training.intent_weights import IntentWeights
from app.training.questions import WIDTHS

# Small matrices: the CPU is the fastest and gives the same bits every time.
jax.config.update("jax_platforms", "cpu")

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Updated = tuple[IntentWeights, IntentWeights, optax.OptState, jax.Array]


@dataclass(frozen=True)
class Examples:
    """Clicks [n] sorted by user, then by order: scaled inputs [n, F], the place of the ``product`` among those that
    have vectors [n], 0 for none, the ``first`` click of each user [n], the true ``answers`` [n, questions] and how much
    each counts in ``weight`` [n, questions]; a click of which none counts only carries the state on."""

    inputs: Floats
    product: Ints
    first: NDArray[np.bool_]
    answers: Ints
    weight: Floats


@dataclass(frozen=True)
class GruSettings:
    """How to train; chosen on earlier days than the figures are measured on.

    ``steps`` is how far the gradient reaches back, while the state itself goes on. ``averaging`` is the share of the
    old in the running average of the weights that becomes the model. Of the inputs and of the states that heads read
    ``input_dropout`` and ``state_dropout`` are left out at random, the same ones for a lane's whole segment.
    ``stop_after`` ends after that epoch, while the rate falls as if all were to come. ``shares`` says how much each
    question counts. ``units`` is the width of the state: a worker's rows have room for `HIDDEN_UNITS`.
    """

    epochs: int = 10
    lanes: int = 128
    steps: int = 32
    rate: float = 1e-2
    decay: float = 0.2
    averaging: float = 0.99
    input_dropout: float = 0.0
    state_dropout: float = 0.05
    stop_after: int | None = None
    shares: tuple[float, ...] = (0.2, 0.4, 0.15, 0.05, 0.05, 0.15)
    units: int = HIDDEN_UNITS


class Kept(NamedTuple):
    """What dropout leaves: factors of the inputs [B, F] and of the states that the heads read [B, H]."""

    inputs: jax.Array
    states: jax.Array


def heads(
    weights: IntentWeights,
    inputs: jax.Array,
    product: jax.Array,
    first: jax.Array,
    hidden: jax.Array,
    kept: Kept | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Log-odds [T, B, heads] at each step of B lanes, and the states [B, H] after the last.

    Args:
        weights: the model.
        inputs: scaled features [T, B, F].
        product: place among the products' vectors, 0 for none [T, B].
        first: where a lane goes on to another user [T, B].
        hidden: states before the first step [B, H].
        kept: what dropout leaves in training.
    """
    width = weights.candidate_bias.shape[0]
    vectors = weights.product_vectors[product] * (product > 0)[..., None]
    inputs = jnp.concatenate([inputs, vectors], axis=-1)
    if kept is not None:
        inputs = inputs * kept.inputs
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
    if kept is not None:
        every = every * kept.states
    deep = jax.nn.relu(every @ weights.deep_hidden + inputs @ weights.deep_in + weights.deep_bias)
    straight = every @ weights.heads_hidden + inputs @ weights.heads_in + weights.heads_bias
    return straight + deep @ weights.heads_deep, last


def train_gru(
    weights: IntentWeights,
    examples: Examples,
    settings: GruSettings,
    random: np.random.Generator,
    after_epoch: Callable[[int, IntentWeights], None],
) -> None:
    """Train from ``weights`` on; ``after_epoch`` gets each epoch's number, from 1, and its weights."""
    optimiser, update = _updates(replace(settings, stop_after=None), _segments(len(examples.first), settings))
    latest = average = IntentWeights(*map(jnp.asarray, weights))
    state = optimiser.init(latest)
    for epoch in range(1, (settings.stop_after or settings.epochs) + 1):
        hidden = jnp.zeros((settings.lanes, weights.candidate_bias.shape[0]))
        for rows, real in _lanes(examples, settings, random):
            batch = (
                _kept(settings, weights, random),
                examples.inputs[rows],
                examples.product[rows],
                examples.first[rows],
                examples.answers[rows],
                examples.weight[rows] * real[..., None],
            )
            latest, average, state, hidden = update(latest, average, state, hidden, *batch)
        after_epoch(epoch, IntentWeights(*(np.asarray(array, np.float32) for array in average)))


@lru_cache(maxsize=4)
def _updates(settings: GruSettings, segments: int) -> tuple[optax.GradientTransformation, Callable[..., Updated]]:
    """The optimiser, and a step with it, compiled once for all trainings of ``settings`` and ``segments`` per epoch."""
    rate = optax.cosine_decay_schedule(settings.rate, settings.epochs * segments, alpha=0.02)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=settings.decay))
    shares = jnp.array(settings.shares)

    def loss(weights: IntentWeights, hidden: jax.Array, kept: Kept, *batch: jax.Array) -> tuple[jax.Array, jax.Array]:
        inputs, product, first, answers, weight = batch
        logits, last = heads(weights, inputs, product, first, hidden, kept)
        total = (_losses(logits, answers) * weight * shares).sum()
        return total / jnp.maximum((weight * shares).sum(), 1e-6), last

    def update(
        latest: IntentWeights,
        average: IntentWeights,
        state: optax.OptState,
        hidden: jax.Array,
        kept: Kept,
        *batch: jax.Array,
    ) -> Updated:
        gradient, last = jax.grad(loss, has_aux=True)(latest, hidden, kept, *batch)
        changes, state = optimiser.update(gradient, state, latest)
        latest = optax.apply_updates(latest, changes)
        return latest, optax.incremental_update(latest, average, 1 - settings.averaging), state, last

    return optimiser, jax.jit(update)


def _kept(settings: GruSettings, weights: IntentWeights, random: np.random.Generator) -> Kept:
    """Factors by lane: 0 where something is left out, a little over 1 elsewhere."""
    dropouts = settings.input_dropout, settings.state_dropout
    widths = weights.gates_in.shape[0], weights.gates_hidden.shape[0]
    kept = [random.random((settings.lanes, width)) >= dropout for width, dropout in zip(widths, dropouts, strict=True)]
    return Kept(*(jnp.asarray(one / (1 - dropout), jnp.float32) for one, dropout in zip(kept, dropouts, strict=True)))


def _losses(logits: jax.Array, answers: jax.Array) -> jax.Array:
    """Cross-entropy [..., questions] of log-odds [..., heads] and true answers [..., questions]."""
    ends = list(accumulate(WIDTHS))
    losses = []
    for question, (end, width) in enumerate(zip(ends, WIDTHS, strict=True)):
        asked, answer = logits[..., end - width : end], answers[..., question]
        if width > 1:
            losses.append(optax.softmax_cross_entropy_with_integer_labels(asked, answer))
        else:
            losses.append(optax.sigmoid_binary_cross_entropy(asked[..., 0], answer))
    return jnp.stack(losses, axis=-1)


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
