"""Trains the text model: an embedding bag with one hidden layer, by Adam on sparse rows.

Plain NumPy and SciPy: a batch touches a few thousand of the table's rows, and only those are moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from app.text.ngrams import BUCKETS, bag_of
from app.training.progress import Advance
from app.training.text_graph import STEEPNESS, TINY, Counts, Floats, TextWeights, averaged, sigmoid

_MEAN_DECAY: Final = 0.9
_SQUARE_DECAY: Final = 0.999


@dataclass(frozen=True, slots=True)
class Head:
    """Outputs of which a text has one (``size`` of at least 2), or a single one that it has or has not."""

    name: str
    size: int
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class TextSet:
    """Texts [n] as ``counts``, and ``truth`` [n, K] of all heads' outputs side by side: 0 to 1, NaN where unknown."""

    counts: Counts
    truth: Floats

    def having(self, first: int, stop: int) -> "TextSet":
        """The texts of which something is known in these columns of ``truth``, and these columns alone."""
        truth = self.truth[:, first:stop]
        rows = np.isfinite(truth).any(axis=1)
        return TextSet(self.counts[rows], truth[rows])


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train, chosen on CLINC150's, BANKING77's and SMP2017's own validation parts."""

    units: int = 64
    epochs: int = 12
    batch: int = 128
    rate: float = 0.01
    drop_ngrams: float = 0.5
    drop_units: float = 0.3
    smoothing: float = 0.1
    seed: int = 20_260_103
    members: int = 1  # trained apart, each with its own units, and averaged into one model


def counted(texts: Sequence[str], batch: int = 4096) -> Counts:
    """The n-grams of ``texts``."""
    parts = []
    for start in range(0, len(texts), batch):
        some = texts[start : start + batch]
        bag = bag_of(some)
        ones = np.ones(len(bag.buckets), np.float32)
        parts.append(sparse.csr_matrix((ones, (bag.text, bag.buckets)), shape=(len(some), BUCKETS)))
    found = sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, BUCKETS), dtype=np.float32)
    found.sum_duplicates()
    return found


def rarity(counts: Counts) -> Floats:
    """The weight of each n-gram [BUCKETS]: the rarer, the more (inverse document frequency, smoothed)."""
    having = np.bincount(counts.indices, minlength=BUCKETS)
    return np.asarray(np.log((1 + counts.shape[0]) / (1 + having)) + 1, np.float32)


def batches(learned: TextSet, recipe: Recipe) -> int:
    """How many batches a training takes."""
    return recipe.members * _steps(learned, recipe)


def _steps(learned: TextSet, recipe: Recipe) -> int:
    return recipe.epochs * -(-len(learned.truth) // recipe.batch)


def fit_text(
    learned: TextSet, heads: Sequence[Head], recipe: Recipe, advance: Advance, weights: Floats | None = None
) -> TextWeights:
    """Weights that tell the outputs of ``learned``; ``advance`` is called after every batch.

    Equal arguments give equal weights on one machine. ``weights`` are those of n-grams, their `rarity` in ``learned``
    if None.
    """
    members = [replace(recipe, seed=recipe.seed + number) for number in range(recipe.members)]
    rare = rarity(learned.counts) if weights is None else weights
    return averaged([_fitted(_Training(learned, heads, member, rare), learned, member, advance) for member in members])


def _fitted(training: "_Training", learned: TextSet, recipe: Recipe, advance: Advance) -> TextWeights:
    rows, steps, done = len(learned.truth), _steps(learned, recipe), 0
    for _ in range(recipe.epochs):
        order = training.random.permutation(rows)
        for start in range(0, rows, recipe.batch):
            training.step(order[start : start + recipe.batch], recipe.rate * (1 - done / steps))
            done += 1
            advance(1)
    return training.weights()


class _Training:
    """The weights on their way, with Adam's moments (arXiv:1412.6980)."""

    def __init__(self, learned: TextSet, heads: Sequence[Head], recipe: Recipe, rare: Floats) -> None:
        self.random = np.random.default_rng(recipe.seed)
        self._learned, self._heads, self._recipe = learned, heads, recipe
        self._rarity = rare
        outputs = learned.truth.shape[1]
        self._table = (self.random.standard_normal((BUCKETS, recipe.units), np.float32) * 0.1).astype(np.float32)
        self._moments = [np.zeros_like(self._table), np.zeros_like(self._table)]
        self._dense = {
            "bias": np.zeros(recipe.units, np.float32),
            "heads": (self.random.standard_normal((recipe.units, outputs)) / np.sqrt(recipe.units)).astype(np.float32),
            "head_bias": np.zeros(outputs, np.float32),
        }
        self._dense_moments = {name: [np.zeros_like(v), np.zeros_like(v)] for name, v in self._dense.items()}
        self._steps = 0

    def weights(self) -> TextWeights:
        """As they are now; n-grams that were never met add nothing."""
        met = np.bincount(self._learned.counts.indices, minlength=BUCKETS) > 0
        table = self._table * (self._rarity * met)[:, None]
        return TextWeights(table, self._rarity**2, **self._dense)

    def step(self, rows: NDArray[np.int64], rate: float) -> None:
        """Learn from the texts ``rows``."""
        self._steps += 1
        columns, bags = self._bags(self._learned.counts[rows])
        entries = self._table[columns]
        hidden = bags @ entries + self._dense["bias"]
        gate = sigmoid(STEEPNESS * hidden)
        kept = self._kept(hidden.shape)
        active = hidden * gate * kept
        slope = self._slope(active @ self._dense["heads"] + self._dense["head_bias"], self._learned.truth[rows])
        back = (slope @ self._dense["heads"].T) * kept * gate * (1 + STEEPNESS * hidden * (1 - gate))
        gradients = {"bias": back.sum(axis=0), "heads": active.T @ slope, "head_bias": slope.sum(axis=0)}
        for name, gradient in gradients.items():
            self._dense[name] -= rate * self._move(self._dense_moments[name], gradient, slice(None))
        self._table[columns] = entries - rate * self._move(self._moments, bags.T @ back, columns)

    def _bags(self, counts: Counts) -> tuple[NDArray[np.int64], Counts]:
        """The n-grams that are left after some were dropped, and each text's weights of them, of length 1."""
        kept = self.random.random(len(counts.indices), np.float32) >= self._recipe.drop_ngrams
        ends = np.append(0, np.cumsum(kept))[counts.indptr]
        columns, place = np.unique(counts.indices[kept], return_inverse=True)
        rarity = self._rarity[columns[place]]
        data = counts.data[kept]
        squares = np.append(0, np.cumsum(data * rarity**2, dtype=np.float64))[ends]
        length = np.sqrt(np.maximum(np.diff(squares), TINY)).astype(np.float32)
        weights = data * rarity / np.repeat(length, np.diff(ends))
        return columns, sparse.csr_matrix((weights, place, ends), shape=(len(length), len(columns)))

    def _kept(self, shape: tuple[int, ...]) -> Floats:
        drop = self._recipe.drop_units
        return np.asarray((self.random.random(shape, np.float32) >= drop) / (1 - drop), np.float32)

    def _slope(self, logits: Floats, truth: Floats) -> Floats:
        """How the loss changes with ``logits``, the mean over texts: cross-entropy, smoothed, of what is known."""
        slope = np.zeros_like(logits)
        start = 0
        for head in self._heads:
            part = slice(start, start + head.size)
            wanted, given = truth[:, part], logits[:, part]
            if head.size > 1:
                weights = np.exp(given - given.max(axis=1, keepdims=True))
                given = weights / weights.sum(axis=1, keepdims=True)
                wanted = wanted * (1 - self._recipe.smoothing) + self._recipe.smoothing / head.size
            else:
                given = sigmoid(given)
            slope[:, part] = head.weight * np.nan_to_num(given - wanted)
            start += head.size
        return slope / np.float32(len(logits))

    def _move(self, moments: list[Floats], gradient: Floats, where: NDArray[np.int64] | slice) -> Floats:
        """Adam's step of the parameters at ``where``, whose moments move on in place."""
        mean: Floats = _MEAN_DECAY * moments[0][where] + (1 - _MEAN_DECAY) * gradient
        square: Floats = _SQUARE_DECAY * moments[1][where] + (1 - _SQUARE_DECAY) * gradient * gradient
        moments[0][where], moments[1][where] = mean, square
        root = np.sqrt(square / (1 - _SQUARE_DECAY**self._steps)) + 1e-8
        return np.asarray(mean / (1 - _MEAN_DECAY**self._steps) / root, np.float32)
