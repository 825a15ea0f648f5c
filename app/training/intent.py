"""Trains, calibrates and measures the intent model.

Twice: what the first part of every set taught is measured on days that it has not seen; what is served has learned from
all days in the same way, since the latest ones tell most about the next.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.features.clicks import CLICK_FEATURES, NUMBERS
from app.models.manifest import Figures, Manifest, Tensor
from app.models.outlook import CHANCES, OUTLOOK
from app.models.runtime import IntentModel
from app.state.columns import Lifetimes
from app.state.rows import HIDDEN_UNITS
from app.training.baselines import logistic_intents, prior_intents
from app.training.choices import choices
from app.training.click_sets import ClickSet, learned_reference, read_click_set
from app.training.curves import page, panels_of
from app.training.figures import best_threshold, class_figures
from app.training.fitting import Inputs, calibration_of, fitted_on_all, fitted_on_past
from app.training.gru import GruSettings
from app.training.intent_weights import HEADS, OPSET, Calibration, IntentWeights, calibrated
from app.training.learnable import require_learnable
from app.training.measuring import Past, answered, evaluated, questions
from app.training.progress import Reporter
from app.training.scaling import fit_scaling
from app.training.sources import CHOOSE, CLICK_SOURCES, LEARN, MEASURE, SHOP, Source
from app.training.storing import CURVES_FILE, MEASURED_FILE, Trained
from schemas.outputs import INTENTS

SEED = 20_260_101
QUICK = GruSettings(epochs=3)
QUICK_SHOP = replace(SHOP, events=30_000, events_per_second=SHOP.events_per_second / 5)


def train_intent(
    data: Path,
    version: str,
    created: str,
    lifetimes: Lifetimes,
    quick: bool,
    reporter: Reporter,
    units: int = HIDDEN_UNITS,
) -> Trained:
    """Train on the public data sets and the simulated shop.

    Args:
        data: folder of the data sets.
        version: of the new model.
        created: when, ISO 8601.
        lifetimes: of sessions and histories, as a worker has them.
        quick: few epochs and few simulated visits, to see that everything works.
        reporter: is told how far it got.
        units: numbers of the recurrent state; see `name_of`.

    Raises:
        UsageProblem: a data set is not there.
    """
    sources: list[Source] = [QUICK_SHOP if quick and source is SHOP else source for source in CLICK_SOURCES]
    sets = [read_click_set(source, data, lifetimes, reporter.stage(f"replay {source.name}")) for source in sources]
    return fit_intent(sets, version, created, replace(QUICK if quick else GruSettings(), units=units), reporter)


def fit_intent(
    sets: Sequence[ClickSet], version: str, created: str, settings: GruSettings, reporter: Reporter
) -> Trained:
    """Learn on the first part of every set, choose the epoch and calibrate on the second, measure on the third; then
    learn on all parts up to the same epoch, and keep the calibration.

    Raises:
        UsageProblem: no set has purchases, or a part of one that has some has none, or nothing else.
    """
    _require_learnable(sets)
    chosen = fitted_on_past(sets, settings, SEED, reporter)
    calibration = calibration_of(sets, chosen.inputs.model(chosen.weights), [CHOOSE])
    measured = chosen.inputs.graph(calibrated(chosen.weights, calibration))
    before = IntentModel(measured, name_of(settings.units), version, units=settings.units)
    metrics = _figures(sets, before, reporter)
    curves = page([row for one in sets for row in panels_of(one, one.part == MEASURE, before)])
    final = fitted_on_all(sets, settings, SEED, chosen.epoch, reporter)
    weights = calibrated(final.weights, calibration)
    graph = final.inputs.graph(weights)
    manifest = Manifest(
        name=name_of(settings.units),
        version=version,
        kind="intent",
        created=created,
        digest=hashlib.sha256(graph).hexdigest(),
        opset=OPSET,
        inputs=_inputs(settings.units),
        outputs=_outputs(settings.units),
        features=[feature.name for feature in CLICK_FEATURES],
        data=[one.described for one in sets],
        split={one.name: one.split for one in sets},
        metrics=metrics,
        calibration=_told(calibration) | {"epochs": chosen.epoch},
        hidden_units=settings.units,
        encoder=_encoder(weights, final.inputs),
        reference=learned_reference(sets, final.inputs.model(weights)),
        thresholds=_thresholds(sets, before),
    )
    return Trained(graph, manifest, {MEASURED_FILE: measured, CURVES_FILE: curves.encode()})


def name_of(units: int) -> str:
    """The name of an intent model with so many ``units``: one that does not fit a worker's rows has another, lest a
    worker that takes the newest version finds it."""
    return "intent" if units == HIDDEN_UNITS else f"intent-{units}"


def _require_learnable(sets: Sequence[ClickSet]) -> None:
    selling = [one for one in sets if one.labels.purchase.any()]
    for one in selling or sets:
        require_learnable(f"the set {one.name}", one.part, one.labels.purchase, "purchases")


def _figures(sets: Sequence[ClickSet], model: IntentModel, reporter: Reporter) -> Figures:
    """Every question that a set can answer, on the third parts, beside the baselines, made for each set alone."""
    figures: Figures = {}
    advance = reporter.stage("measure", len(sets))
    for one in sets:
        rows = one.part == MEASURE
        told = evaluated(one, rows, model, Past.of(one))
        for question, found in told.targets.items():
            figures[f"{one.name}: {question}"] = found.by_model()
        if one.labels.purchase.any():
            figures[f"{one.name}: intent"] = _intent_figures(one, model)
        figures[f"{one.name}: next_action"] = choices(one, rows, model, one)["next_action"]
        advance(1)
    return figures


def _intent_figures(one: ClickSet, model: IntentModel) -> dict[str, dict[str, float]]:
    learn, measure = one.part == LEARN, one.part == MEASURE
    numbers = one.rows.features[:, :NUMBERS]
    scaling = fit_scaling(numbers[learn], np.ones(int(learn.sum())))
    intent, probabilities = one.labels.intent, one.scored(model)[0]
    guess = logistic_intents(scaling.apply(numbers[learn]), intent[learn], scaling.apply(numbers[measure]))
    return {
        "model": class_figures(intent[measure], probabilities[measure]),
        "prior": class_figures(intent[measure], prior_intents(intent[learn], int(measure.sum()))),
        "logistic": class_figures(intent[measure], guess),
    }


def _thresholds(sets: Sequence[ClickSet], model: IntentModel) -> dict[str, float]:
    """By question and set, on the second parts: rates differ too much between shops for one that fits all."""
    found = {}
    for one in sets:
        answers = answered(one, model)
        for name, truth in questions(one).items():
            counted = (one.part == CHOOSE) & truth.known
            if truth.right[counted].any():
                found[f"{one.name}: {name}"] = best_threshold(truth.right[counted], answers[name][counted])
    return found


def _told(calibration: Calibration) -> dict[str, float]:
    """The calibration for the manifest: slope and offset by head, one temperature where heads share a softmax."""
    told = {"intent_slope": float(calibration.slope[0]), "next_slope": float(calibration.slope[-1])}
    for name in ("purchase", *CHANCES):
        column = HEADS.index(name)
        told[f"{name}_slope"] = float(calibration.slope[column])
        told[f"{name}_offset"] = float(calibration.offset[column])
    return told


def _encoder(weights: IntentWeights, inputs: Inputs) -> str:
    """A digest of all that makes a hidden state what it is."""
    digest = hashlib.sha256()
    recurrent = weights.gates_in, weights.gates_bias, weights.gates_hidden, weights.candidate_hidden
    scaling, tables = inputs.scaling, inputs.tables
    inward = scaling.mean, scaling.factor, tables.categories, tables.products, inputs.often, weights.product_vectors
    for array in (*recurrent, weights.candidate_bias, *inward):
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def _inputs(units: int) -> list[Tensor]:
    return [
        Tensor("features", "float32", ["n", len(CLICK_FEATURES)], "as the catalogue of click features says"),
        Tensor("hidden", "float32", ["n", units], "state after the user's click before, zeros at the first"),
    ]


def _outputs(units: int) -> list[Tensor]:
    intents, outlook = ", ".join(INTENTS), ", ".join(OUTLOOK)
    return [
        Tensor("hidden_after", "float32", ["n", units], "state after this click"),
        Tensor("probabilities", "float32", ["n", len(INTENTS)], f"probability of {intents}; a row sums to 1"),
        Tensor("purchase", "float32", ["n", 1], "probability of a purchase later in the session"),
        Tensor("outlook", "float32", ["n", len(OUTLOOK)], f"probability of {outlook}; those of next_* sum to 1"),
    ]
