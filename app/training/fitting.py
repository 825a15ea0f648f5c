"""Fits the intent model to data sets: the inputs, the epochs, and the calibration of what comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import NUMBERS, PRODUCT_BUCKETS
from app.models.runtime import IntentModel
from app.training.calibrating import platt, temperature
from app.training.click_sets import ClickSet, shares
from app.training.gru import Examples, GruSettings, train_gru
from app.training.intent_weights import Calibration, IntentWeights, initial_weights, intent_graph
from app.training.progress import Reporter
from app.training.questions import WIDTHS, answers_of, weights_of
from app.training.scaling import Scaling, fit_scaling
from app.training.sources import CHOOSE, LEARN, MEASURE
from app.training.tables import Tables, known_of

_OFTEN = 300  # clicks; what was seen less has no vector, which could only remember it

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything that does not change while the weights are learned: the scaled inputs in ``columns`` [N, F] of all
    clicks of all sets, how they were made, and the place of each one's product in ``often`` [N], 0 for none.

    ``often`` are the buckets [K] of products that were seen often, 0 first.
    """

    scaling: Scaling
    tables: Tables
    columns: Floats
    often: Ints
    product: Ints

    @classmethod
    def of(cls, sets: Sequence[ClickSet], parts: Sequence[int]) -> "Inputs":
        """Scaled and looked up as the clicks in ``parts`` of the sets say."""
        numbers = np.concatenate([one.rows.features[:, :NUMBERS] for one in sets])
        weight = shares(sets, parts)
        scaling = fit_scaling(numbers[weight > 0], weight[weight > 0])
        known = known_of(sets, parts, weight)
        bucket = np.concatenate([one.rows.features[:, NUMBERS] for one in sets]).astype(np.int64)
        seen = np.bincount(bucket[weight > 0], minlength=PRODUCT_BUCKETS)
        seen[0] = _OFTEN
        often = np.flatnonzero(seen >= _OFTEN)
        place = np.zeros(PRODUCT_BUCKETS, np.int64)
        place[often] = np.arange(len(often))
        columns = np.hstack([scaling.apply(numbers), known.columns])
        return cls(scaling, known.tables, columns, often, place[bucket])

    def model(self, weights: IntentWeights) -> IntentModel:
        """The weights in the runtime that will serve them."""
        return IntentModel(self.graph(weights), "intent", "in training", units=len(weights.candidate_bias))

    def graph(self, weights: IntentWeights) -> bytes:
        """The graph of ``weights`` on these inputs."""
        vectors = np.zeros((len(self.tables.products), weights.product_vectors.shape[1]), np.float32)
        vectors[self.often[1:]] = weights.product_vectors[1:]
        tables = replace(self.tables, products=np.hstack([self.tables.products, vectors]))
        return intent_graph(weights, self.scaling, tables)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Weights after their best ``epoch``, and the inputs they are for."""

    inputs: Inputs
    weights: IntentWeights
    epoch: int


def fitted_on_past(sets: Sequence[ClickSet], settings: GruSettings, seed: int, reporter: Reporter) -> Fitted:
    """What the first parts taught, after the epoch of the later half that was best on the second parts."""
    inputs = Inputs.of(sets, [LEARN])
    advance = reporter.stage("epochs", settings.epochs)
    best: list[tuple[float, int, IntentWeights]] = []

    def after_epoch(epoch: int, weights: IntentWeights) -> None:
        if 2 * epoch > settings.epochs:
            best.append((loss_of(sets, inputs.model(weights), [CHOOSE], settings.shares), epoch, weights))
            best[:] = [min(best, key=lambda seen: seen[:2])]
        advance(1)

    learned(sets, inputs, [LEARN], settings, seed, after_epoch)
    _, epoch, weights = best[0]
    return Fitted(inputs, weights, epoch)


def fitted_on_all(sets: Sequence[ClickSet], settings: GruSettings, seed: int, epoch: int, reporter: Reporter) -> Fitted:
    """What all parts taught, after ``epoch`` epochs."""
    parts = [LEARN, CHOOSE, MEASURE]
    inputs = Inputs.of(sets, parts)
    advance = reporter.stage("epochs on all days", epoch)
    latest: list[IntentWeights] = []

    def after_epoch(_: int, weights: IntentWeights) -> None:
        latest[:] = [weights]
        advance(1)

    learned(sets, inputs, parts, replace(settings, stop_after=epoch), seed, after_epoch)
    return Fitted(inputs, latest[0], epoch)


def learned(
    sets: Sequence[ClickSet],
    inputs: Inputs,
    parts: Sequence[int],
    settings: GruSettings,
    seed: int,
    after_epoch: Callable[[int, IntentWeights], None],
) -> None:
    """Learn from the clicks in ``parts``; ``after_epoch`` gets each epoch's number, from 1, and its weights."""
    random = np.random.default_rng(seed)
    examples = Examples(
        inputs=inputs.columns,
        product=inputs.product,
        first=np.concatenate([np.diff(one.history, prepend=-1) != 0 for one in sets]),
        answers=answers_of(sets),
        weight=weights_of(sets, parts),
    )
    begin = initial_weights(inputs.columns.shape[1], len(inputs.often), settings.units, random)
    train_gru(begin, examples, settings, random, after_epoch)


def calibration_of(sets: Sequence[ClickSet], model: IntentModel, parts: Sequence[int]) -> Calibration:
    """What the clicks in ``parts`` say about the heads of ``model``, sets counting alike."""
    said = np.concatenate([np.hstack(columns_of(one, model)) for one in sets])
    answers, weight = answers_of(sets), weights_of(sets, parts)
    found = Calibration.none()
    for question, (end, width) in enumerate(zip(accumulate(WIDTHS), WIDTHS, strict=True)):
        counted = weight[:, question] > 0
        if not counted.any():
            continue
        columns = slice(end - width, end)
        probability, truth = said[counted, columns], answers[counted, question]
        if width > 1:
            found.slope[columns] = 1 / temperature(probability, truth, weight[counted, question])
        elif 0 < truth.mean() < 1:
            found.slope[columns], found.offset[columns] = platt(probability[:, 0], truth > 0, weight[counted, question])
    return found


def columns_of(one: ClickSet, model: IntentModel) -> tuple[Floats, Floats, Floats]:
    """What ``model`` says of a set's clicks, by the columns of the heads: 7, 1 and 26."""
    probabilities, purchase, outlook = one.scored(model)
    return probabilities, purchase[:, None], outlook


def loss_of(sets: Sequence[ClickSet], model: IntentModel, parts: Sequence[int], shares_of: Sequence[float]) -> float:
    """Mean log-loss of the answers about the clicks in ``parts``, each question counting by its share."""
    said = np.concatenate([np.hstack(columns_of(one, model)) for one in sets]).astype(np.float64)
    answers, weight = answers_of(sets), weights_of(sets, parts) * np.asarray(shares_of)
    total = 0.0
    for question, (end, width) in enumerate(zip(accumulate(WIDTHS), WIDTHS, strict=True)):
        counted = weight[:, question] > 0
        answer, columns = answers[counted, question], said[counted, end - width : end]
        right = (
            columns[np.arange(len(answer)), answer]
            if width > 1
            else np.where(answer > 0, columns[:, 0], 1 - columns[:, 0])
        )
        total -= float(weight[counted, question] @ np.log(np.maximum(right, 1e-7)))
    return total / float(weight.sum())
