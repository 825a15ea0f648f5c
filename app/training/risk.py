"""Trains, calibrates and measures the risk model: an additive one, so that every reason is exact."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from app.drift.distribution import reference_of
from app.features.inputs import RISK_INPUTS
from app.models.manifest import Figures, Manifest, Reference, ScoreMapping, Tensor
from app.models.runtime import RiskModel
from app.models.session import session_of
from app.state.columns import Lifetimes
from app.training.baselines import logistic
from app.training.calibrating import platt, probability
from app.training.curves import page, panels
from app.training.figures import binary_figures, card_precision
from app.training.intent_weights import OPSET
from app.training.learnable import require_learnable
from app.training.order_sets import DAY_MS, OrderSet, read_order_set
from app.training.progress import Reporter
from app.training.ramps import fit_ramps
from app.training.risk_graph import RiskWeights, risk_graph
from app.training.scaling import fit_scaling
from app.training.sources import CHOOSE, LEARN, MEASURE, ORDER_SHOP, PAYMENTS
from app.training.storing import CURVES_FILE, Trained

SEED = 20_260_101
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_GENUINE_SHARE = 0.3
_SHARES = {PAYMENTS.name: 0.8, ORDER_SHOP.name: 0.2}
"""How much each set counts, chosen on the second parts (the shop's patterns are plain and need little); others: 1."""
_STEP = 1e-4  # between probabilities that bound bands
_ALERTS, _URGENT_ALERTS = 0.01, 0.0025
"""Of a shop's orders: how many a team can look at, and how many at once."""


def train_risk(
    data: Path, version: str, created: str, lifetimes: Lifetimes, quick: bool, reporter: Reporter
) -> Trained:
    """Train on the handbook's payments and the simulated shop's orders; see `train_intent` for the arguments.

    Raises:
        UsageProblem: a data set is not there.
    """
    payments, shop = PAYMENTS, ORDER_SHOP
    start = datetime(2018, 4, 1, tzinfo=UTC)
    if quick:
        start = payments.split.choose_from - timedelta(days=21)
        payments = replace(payments, split=replace(payments.split, learn_from=start + timedelta(days=7)))
        shop = replace(shop, events=shop.events // 5, events_per_second=shop.events_per_second / 5)
    sets = [
        read_order_set(source, data, lifetimes, reporter.stage(f"replay {source.name}"), start)
        for source in (payments, shop)
    ]
    return fit_risk(sets, version, created)


def fit_risk(sets: Sequence[OrderSet], version: str, created: str) -> Trained:
    """Learn on the first part of every set, calibrate and place the bands on the second, measure on the third.

    Raises:
        UsageProblem: a part of a set has no frauds, or nothing else.
    """
    for one in sets:
        require_learnable(f"the set {one.name}", one.part, one.fraud, "frauds")
    weights = _learned(sets)
    slope, offset = _calibration(sets, weights)
    weights = weights.calibrated(slope, offset)
    mapping = _mapping(sets[0], weights)
    graph, names = risk_graph(weights), [*RISK_INPUTS.names]
    model = RiskModel(session_of(graph), "risk", "in training", mapping)
    manifest = Manifest(
        name="risk",
        version=version,
        kind="risk",
        created=created,
        digest=hashlib.sha256(graph).hexdigest(),
        opset=OPSET,
        inputs=[
            Tensor("features", "float32", ["n", len(RISK_INPUTS.names)], "as the catalogue of order features says")
        ],
        outputs=_OUTPUTS,
        features=names,
        data=[one.described for one in sets],
        split={one.name: one.split for one in sets},
        metrics=_figures(sets, model),
        calibration={"slope": slope, "offset": offset},
        score_mapping=mapping,
        reference=_reference(sets, model),
    )
    return Trained(graph, manifest, {CURVES_FILE: _curves(sets, model).encode()})


def _learned(sets: Sequence[OrderSet]) -> RiskWeights:
    features, fraud, weight = _rows(sets, LEARN)
    ramps = fit_ramps(features, fraud)
    design = ramps.apply(features)
    fitted = LogisticRegression(C=1.0, max_iter=400).fit(design, fraud, sample_weight=weight)
    steps = fitted.coef_[0].astype(np.float32).reshape(ramps.starts.shape)
    added = (design.reshape(-1, *steps.shape) * steps).sum(axis=2)
    centre = np.average(added, axis=0, weights=weight).astype(np.float32)
    return RiskWeights(ramps, steps, centre, float(fitted.intercept_[0] + centre.sum()))


def _rows(sets: Sequence[OrderSet], part: int) -> tuple[Floats, Flags, Floats]:
    """Features [n, G], truth [n] and what each row counts [n]: all frauds and a sample of the genuine orders, which
    stand for the others; each set counts in all as much as its share."""
    random = np.random.default_rng(SEED)
    features, fraud, weight = [], [], []
    for one in sets:
        rows = np.flatnonzero(one.part == part)
        keep = one.fraud[rows] | (random.random(len(rows)) < _GENUINE_SHARE)
        rows = rows[keep]
        counts = np.where(one.fraud[rows], 1, 1 / _GENUINE_SHARE)
        features.append(one.rows.given(RISK_INPUTS)[rows])
        fraud.append(one.fraud[rows])
        weight.append(_SHARES.get(one.name, 1.0) * counts / counts.sum())
    joined = np.concatenate(weight)
    return np.concatenate(features), np.concatenate(fraud), (joined / joined.mean()).astype(np.float32)


def _reference(sets: Sequence[OrderSet], model: RiskModel) -> Reference:
    features, _, weight = _rows(sets, LEARN)
    return reference_of(RISK_INPUTS.names, features, model.score(features).probability, weight)


def _calibration(sets: Sequence[OrderSet], weights: RiskWeights) -> tuple[float, float]:
    features, fraud, weight = _rows(sets, CHOOSE)
    return platt(probability(weights.log_odds(features)), fraud, weight)


def _mapping(one: OrderSet, weights: RiskWeights) -> ScoreMapping:
    """The bands that flag as many of the orders of ``one``'s second part as a team can look at."""
    probabilities = probability(weights.log_odds(one.rows.given(RISK_INPUTS)[one.part == CHOOSE]))
    found = np.quantile(probabilities, [1 - _ALERTS, 1 - _URGENT_ALERTS]).tolist()
    # Where good and bad are told apart for sure, both may be 0 or 1, which bound no band.
    elevated = min(max(round(found[0], 4), _STEP), 1 - 2 * _STEP)
    highest = min(max(round(found[1], 4), elevated + _STEP), 1 - _STEP)
    return ScoreMapping(p_elevated=round(elevated, 4), p_highest=round(highest, 4))


def _figures(sets: Sequence[OrderSet], model: RiskModel) -> Figures:
    """On the third parts, beside the prior and a logistic regression made for each set alone."""
    figures: Figures = {}
    for one in sets:
        learn = one.part == LEARN
        measure = _measured(one)
        given = one.rows.given(RISK_INPUTS)
        scaling = fit_scaling(given[learn], np.ones(int(learn.sum())))
        inputs = scaling.apply(given)
        scored = {
            "model": model.score(given[measure]).probability,
            "prior": np.full(int(measure.sum()), one.fraud[learn].mean()),
            "logistic": logistic(inputs[learn], one.fraud[learn], inputs[measure]),
        }
        figures[one.name] = {name: _of(one, measure, values) for name, values in scored.items()}
    return figures


def _measured(one: OrderSet) -> Flags:
    """Orders [n] of the third part; of the handbook without cards that were known as stolen before."""
    measure = one.part == MEASURE
    if one.name == PAYMENTS.name:
        measure &= one.unknown(int(PAYMENTS.split.choose_from.timestamp() * 1000))
    return np.asarray(measure)


def _curves(sets: Sequence[OrderSet], model: RiskModel) -> str:
    measured = [(one, _measured(one)) for one in sets]
    return page(
        [
            (f"{one.name}: fraud", panels(one.fraud[rows], model.score(one.rows.given(RISK_INPUTS)[rows]).probability))
            for one, rows in measured
        ]
    )


def _of(one: OrderSet, measure: Flags, values: NDArray[np.floating[Any]]) -> dict[str, float]:
    truth = one.fraud[measure]
    figures = binary_figures(truth, values)
    if one.name == PAYMENTS.name:
        card = np.unique(one.rows.users, return_inverse=True)[1][measure]
        figures["card_precision_100"] = card_precision(truth, values, card, one.rows.ts[measure] // DAY_MS)
    return figures


_OUTPUTS = [
    Tensor("probability", "float32", ["n", 1], "calibrated probability of fraud"),
    Tensor("contributions", "float32", ["n", len(RISK_INPUTS.names)], "log-odds above those of an average order"),
]
