"""Trains, calibrates and measures the payment model on the handbook's published protocol."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from app.drift.distribution import reference_of
from app.features.payments import PAYMENT_INPUTS
from app.models.manifest import DataFile, Manifest, Reference, ScoreMapping, Tensor
from app.models.runtime import RiskModel
from app.models.session import session_of
from app.state.columns import Lifetimes
from app.training.baselines import logistic
from app.training.calibrating import log_odds, platt, probability
from app.training.curves import page, panels
from app.training.figures import binary_figures, card_precision
from app.training.intent_weights import OPSET
from app.training.order_sets import DAY_MS
from app.training.payment_sets import Payments, read_payments
from app.training.progress import Reporter
from app.training.scaling import fit_scaling
from app.training.sources import PAYMENTS
from app.training.storing import CURVES_FILE, Trained
from app.training.trees import Trees, trees_graph, trees_of

LEARN = datetime(2018, 7, 25, tzinfo=UTC), datetime(2018, 8, 1, tzinfo=UTC)
MEASURE = datetime(2018, 8, 8, tzinfo=UTC), datetime(2018, 8, 15, tzinfo=UTC)
SEED = 20_260_101

_FOLDS = 3
_ALERTS, _URGENT_ALERTS = 0.01, 0.0025
_TAIL_FROM = 0.99
_TAILS = ("amount", "user_genuine_ratio_30d_after_7d", "user_value_ratio_30d", "user_max_value_7d")
"""The learner sorts values into 255 bins by quantiles: these get more where values are rare and frauds are not."""

Floats = NDArray[np.floating[Any]]


def train_payments(
    data: Path, version: str, created: str, lifetimes: Lifetimes, quick: bool, reporter: Reporter
) -> Trained:
    """Train on the handbook's week; see `train_intent` for the arguments.

    Raises:
        UsageProblem: the data set is not there.
    """
    rows = read_payments(PAYMENTS.open(data), reporter.stage("stream payments_handbook"))
    return fit_payments(rows, PAYMENTS.described(data, len(rows.ts)), version, created)


def fit_payments(rows: Payments, described: DataFile, version: str, created: str) -> Trained:
    """Learn on the handbook's training week, calibrate on held-out cards of it, measure on its test week."""
    learn, names = rows.within(*LEARN), [*PAYMENT_INPUTS.names]
    trees = _learned(rows.features[learn], rows.fraud[learn])
    held_out = _held_out(rows, learn)
    slope, offset = platt(probability(held_out), rows.fraud[learn], np.ones(int(learn.sum())))
    trees = trees.calibrated(slope, offset)
    mapping = _mapping(probability(held_out * slope + offset))
    graph = trees_graph(trees)
    model = RiskModel(session_of(graph), "payments", "in training", mapping)
    measure = rows.within(*MEASURE) & rows.unknown(LEARN[0])
    manifest = Manifest(
        name="payments",
        version=version,
        kind="risk",
        created=created,
        digest=hashlib.sha256(graph).hexdigest(),
        opset=OPSET,
        inputs=[Tensor("features", "float32", ["n", len(names)], "as the catalogues of orders and velocities say")],
        outputs=[
            Tensor("probability", "float32", ["n", 1], "calibrated probability of fraud"),
            Tensor("contributions", "float32", ["n", len(names)], "log-odds above those of a mean payment"),
        ],
        features=names,
        data=[described],
        split={PAYMENTS.name: "learned from 2018-07-25 until 2018-08-01; measured from 2018-08-08 until 2018-08-15"},
        metrics={PAYMENTS.name: {"model": measured(rows, measure, model), **baselines(rows, measure)}},
        calibration={"slope": slope, "offset": offset},
        score_mapping=mapping,
        reference=_reference(rows.features[learn], model),
    )
    said = model.score(rows.features[measure]).probability
    curves = page([(f"{PAYMENTS.name}: fraud", panels(rows.fraud[measure], said))])
    return Trained(graph, manifest, {CURVES_FILE: curves.encode()})


def _reference(features: NDArray[np.float32], model: RiskModel) -> Reference:
    scores = model.score(features).probability
    return reference_of(PAYMENT_INPUTS.names, features, scores, np.ones(len(features)))


def measured(rows: Payments, measure: NDArray[np.bool_], model: RiskModel) -> dict[str, float]:
    """The figures of the payments that ``measure`` [n] marks."""
    return _figures(rows, measure, model.score(rows.features[measure]).probability)


def baselines(rows: Payments, measure: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """The same figures of the prior and of a logistic regression on the same inputs, learned in the training week."""
    learn = rows.within(*LEARN)
    features = np.maximum(rows.features, 0)  # a regression takes logarithms; only deviations are below 0
    scaling = fit_scaling(features[learn], np.ones(int(learn.sum())))
    guesses = logistic(scaling.apply(features[learn]), rows.fraud[learn], scaling.apply(features[measure]))
    prior = np.full(int(measure.sum()), rows.fraud[learn].mean())
    return {"prior": _figures(rows, measure, prior), "logistic": _figures(rows, measure, guesses)}


def _figures(rows: Payments, measure: NDArray[np.bool_], values: Floats) -> dict[str, float]:
    truth = rows.fraud[measure]
    return binary_figures(truth, values) | {
        "recall_at_1pct_fpr": _recall(truth, values),
        "card_precision_100": card_precision(truth, values, rows.card[measure], rows.ts[measure] // DAY_MS),
    }


def _recall(truth: NDArray[np.bool_], values: Floats) -> float:
    """Share of frauds above the value that a hundredth of the genuine payments reach."""
    return round(float((values[truth] > np.quantile(values[~truth], 0.99)).mean()), 4)


def _learned(features: NDArray[np.float32], fraud: NDArray[np.bool_]) -> Trees:
    names = PAYMENT_INPUTS.names
    tails = [names.index(name) for name in _TAILS]
    from_value = np.quantile(features[:, tails], _TAIL_FROM, axis=0).astype(np.float32)
    design = np.hstack([features, np.maximum(features[:, tails], from_value)])
    trees = HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.06,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=SEED,
    )
    with threadpool_limits(1, user_api="openmp"):  # more threads take turns on a busy machine, and gain little
        return trees_of(trees.fit(design, fraud), np.array([*range(len(names)), *tails]))


def _held_out(rows: Payments, learn: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log-odds of the payments that ``learn`` marks, by models that did not see their cards."""
    features, fraud = rows.features[learn], rows.fraud[learn]
    fold = rows.card[learn] % _FOLDS
    odds = np.zeros(len(fraud))
    for number in range(_FOLDS):
        own = fold == number
        model = session_of(trees_graph(_learned(features[~own], fraud[~own])))
        (chance,) = model.run(["probability"], {"features": features[own]})
        odds[own] = log_odds(chance[:, 0])
    return odds


def _mapping(probabilities: Floats) -> ScoreMapping:
    """The bands that flag as many payments as a team can look at."""
    elevated, highest = np.quantile(probabilities, [1 - _ALERTS, 1 - _URGENT_ALERTS])
    return ScoreMapping(p_elevated=round(float(elevated), 4), p_highest=round(float(highest), 4))
