"""Trains, calibrates and measures the intent model."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.features.clicks import CLICK_FEATURES
from app.models.manifest import Figures, Manifest, Tensor
from app.models.runtime import IntentModel
from app.state.columns import Lifetimes
from app.state.rows import HIDDEN_UNITS
from app.training.baselines import logistic, logistic_intents, prior_intents
from app.training.calibrating import platt, temperature
from app.training.click_sets import ClickSet, learned_reference, read_click_set, shares
from app.training.figures import auc_gain, binary_figures, intent_figures
from app.training.gru import Examples, GruSettings, train_gru
from app.training.intent_weights import OPSET, Calibration, IntentWeights, calibrated, initial_weights, intent_graph
from app.training.learnable import require_learnable
from app.training.progress import Reporter
from app.training.scaling import Scaling, fit_scaling
from app.training.sources import CHOOSE, CLICK_SOURCES, LEARN, MEASURE, SHOP, Source
from app.training.storing import Trained
from schemas.outputs import INTENTS

SEED = 20_260_101
QUICK = GruSettings(epochs=4)
QUICK_SHOP = replace(SHOP, events=30_000, events_per_second=SHOP.events_per_second / 5)


def train_intent(
    data: Path, version: str, created: str, lifetimes: Lifetimes, quick: bool, reporter: Reporter
) -> Trained:
    """Train on the public data sets and the simulated shop.

    Args:
        data: folder of the data sets.
        version: of the new model.
        created: when, ISO 8601.
        lifetimes: of sessions and histories, as a worker has them.
        quick: few epochs and few simulated visits, to see that everything works.
        reporter: is told how far it got.

    Raises:
        UsageProblem: a data set is not there.
    """
    sources: list[Source] = [QUICK_SHOP if quick and source is SHOP else source for source in CLICK_SOURCES]
    sets = [read_click_set(source, data, lifetimes, reporter.stage(f"replay {source.name}")) for source in sources]
    return fit_intent(sets, version, created, QUICK if quick else GruSettings(), reporter)


def fit_intent(
    sets: Sequence[ClickSet], version: str, created: str, settings: GruSettings, reporter: Reporter
) -> Trained:
    """Learn on the first part of every set, choose the epoch and calibrate on the second, measure on the third.

    Raises:
        UsageProblem: a part of a set has no purchases, or nothing else.
    """
    for one in sets:
        require_learnable(f"the set {one.name}", one.part, one.labels.purchase, "purchases")
    every = np.concatenate([one.rows.features for one in sets])
    learning = shares(sets, [LEARN])
    scaling = fit_scaling(every[learning > 0], learning[learning > 0])
    weights = _learned(sets, scaling, settings, reporter)
    calibration = _calibration(sets, _model(weights, scaling))
    weights = calibrated(weights, calibration)
    graph = intent_graph(weights, scaling)
    manifest = Manifest(
        name="intent",
        version=version,
        kind="intent",
        created=created,
        digest=hashlib.sha256(graph).hexdigest(),
        opset=OPSET,
        inputs=_INPUTS,
        outputs=_OUTPUTS,
        features=[feature.name for feature in CLICK_FEATURES],
        data=[one.described for one in sets],
        split={one.name: one.split for one in sets},
        metrics=_figures(sets, _model(weights, scaling), scaling, reporter),
        calibration={
            "intent_temperature": calibration.temperature,
            "purchase_slope": calibration.slope,
            "purchase_offset": calibration.offset,
        },
        hidden_units=HIDDEN_UNITS,
        encoder=_encoder(weights, scaling),
        reference=learned_reference(sets, _model(weights, scaling)),
    )
    return Trained(graph, manifest)


def _learned(sets: Sequence[ClickSet], scaling: Scaling, settings: GruSettings, reporter: Reporter) -> IntentWeights:
    """The weights of the epoch that was best on the sets' second parts."""
    random = np.random.default_rng(SEED)
    examples = Examples(
        inputs=scaling.apply(np.concatenate([one.rows.features for one in sets])),
        first=np.concatenate([np.diff(one.history, prepend=-1) != 0 for one in sets]),
        intent=np.concatenate([one.labels.intent for one in sets]),
        purchase=np.concatenate([one.labels.purchase for one in sets]),
        weight=shares(sets, [LEARN]),
    )
    advance = reporter.stage("epochs", settings.epochs)
    best: list[tuple[float, int, IntentWeights]] = []

    def after_epoch(epoch: int, weights: IntentWeights) -> None:
        best.append((_loss(sets, _model(weights, scaling)), epoch, weights))
        best[:] = [min(best, key=lambda seen: seen[:2])]
        advance(1)

    train_gru(initial_weights(len(CLICK_FEATURES), HIDDEN_UNITS, random), examples, settings, random, after_epoch)
    return best[0][2]


def _loss(sets: Sequence[ClickSet], model: IntentModel) -> float:
    """Log-loss of both heads on the second parts, the sets counting alike."""
    total = 0.0
    for one in sets:
        probabilities, purchase = one.scored(model)
        part = one.part == CHOOSE
        total += intent_figures(one.labels.intent[part], probabilities[part])["log_loss"]
        total += binary_figures(one.labels.purchase[part], purchase[part])["log_loss"]
    return total / len(sets)


def _calibration(sets: Sequence[ClickSet], model: IntentModel) -> Calibration:
    scored = [one.scored(model) for one in sets]
    weight = shares(sets, [CHOOSE])
    chosen = weight > 0
    purchase = np.concatenate([of_purchase for _, of_purchase in scored])[chosen]
    probabilities = np.concatenate([of_intents for of_intents, _ in scored])[chosen]
    bought = np.concatenate([one.labels.purchase for one in sets])[chosen]
    intent = np.concatenate([one.labels.intent for one in sets])[chosen]
    slope, offset = platt(purchase, bought, weight[chosen])
    return Calibration(temperature(probabilities, intent, weight[chosen]), slope, offset)


def _figures(sets: Sequence[ClickSet], model: IntentModel, scaling: Scaling, reporter: Reporter) -> Figures:
    """Both heads on the third parts, beside the prior and a logistic regression made for each set alone.

    ``auc_gain`` is the model's over that regression, drawn over users.
    """
    figures: Figures = {}
    advance = reporter.stage("measure", len(sets))
    for one in sets:
        learn, measure = one.part == LEARN, one.part == MEASURE
        inputs = scaling.apply(one.rows.features)
        intent, bought = one.labels.intent, one.labels.purchase
        probabilities, purchase = one.scored(model)
        truth = bought[measure]
        regression = logistic(inputs[learn], bought[learn], inputs[measure])
        gain = auc_gain(truth, purchase[measure], regression, one.rows.user[measure], SEED)
        figures[f"{one.name}: purchase"] = {
            "model": binary_figures(truth, purchase[measure]) | gain,
            "prior": binary_figures(truth, np.full(len(truth), bought[learn].mean())),
            "logistic": binary_figures(truth, regression),
        }
        figures[f"{one.name}: intent"] = {
            "model": intent_figures(intent[measure], probabilities[measure]),
            "prior": intent_figures(intent[measure], prior_intents(intent[learn], int(measure.sum()))),
            "logistic": intent_figures(
                intent[measure], logistic_intents(inputs[learn], intent[learn], inputs[measure])
            ),
        }
        advance(1)
    return figures


def _model(weights: IntentWeights, scaling: Scaling) -> IntentModel:
    """The weights in the runtime that will serve them."""
    return IntentModel(intent_graph(weights, scaling), "intent", "in training")


def _encoder(weights: IntentWeights, scaling: Scaling) -> str:
    """A digest of all that makes a hidden state what it is."""
    digest = hashlib.sha256()
    recurrent = weights.gates_in, weights.gates_bias, weights.gates_hidden, weights.candidate_hidden
    for array in (*recurrent, weights.candidate_bias, scaling.mean, scaling.factor):
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


_INPUTS = [
    Tensor("features", "float32", ["n", len(CLICK_FEATURES)], "as the catalogue of click features says"),
    Tensor("hidden", "float32", ["n", HIDDEN_UNITS], "state after the user's click before, zeros at the first"),
]
_OUTPUTS = [
    Tensor("hidden_after", "float32", ["n", HIDDEN_UNITS], "state after this click"),
    Tensor("probabilities", "float32", ["n", len(INTENTS)], f"probability of {', '.join(INTENTS)}; a row sums to 1"),
    Tensor("purchase", "float32", ["n", 1], "probability of a purchase later in the session"),
]
