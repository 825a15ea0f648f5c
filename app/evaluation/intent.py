"""The intent model on clicks that did not train it, beside the prior and the usual learners on the same inputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.features.clicks import CLICK_FEATURES
from app.models.runtime import IntentModel
from app.training.baselines import boosted, logistic
from app.training.click_sets import ClickSet
from app.training.figures import auc_gain, binary_figures
from app.training.scaling import fit_scaling
from schemas.events import CLICK_CODES

PREFIXES = (1, 3, 5, 10, 15)
"""Clicks of a session after which the model is measured by itself."""

SEED = 20_260_101

_LEAST_ROWS = 30
_COLUMN = {feature.name: index for index, feature in enumerate(CLICK_FEATURES)}

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Figures = dict[str, object]


@dataclass(frozen=True, eq=False)
class Truth:
    """A question with two answers: which was ``right`` for each click [n], and where that is ``known`` [n]."""

    right: Flags
    known: Flags


@dataclass(frozen=True, eq=False)
class Past:
    """Clicks that the baselines learn from: features [k, F] and what was true of each question."""

    features: Floats
    truths: Mapping[str, Truth]

    @classmethod
    def of(cls, one: ClickSet, rows: Flags) -> "Past":
        """The ``rows`` [n] of a set."""
        truths = {name: Truth(truth.right[rows], truth.known[rows]) for name, truth in questions(one).items()}
        return cls(one.rows.features[rows], truths)


def questions(one: ClickSet) -> dict[str, Truth]:
    """What can be asked about the clicks of a set, the most important first; only what happens in it."""
    always = np.ones(len(one.rows.ts), np.bool_)
    found = {
        "purchase": Truth(one.labels.purchase, always),
        "purchase_24h": Truth(one.outlook.within_day, one.outlook.day_known),
        "session_end": Truth(one.outlook.ends, always),
    }
    return {name: truth for name, truth in found.items() if truth.right.any()}


def evaluated(one: ClickSet, rows: Flags, model: IntentModel, past: Past | None) -> Figures:
    """Figures of the ``rows`` [n] of a set: those of its first question on top, all questions below ``targets``.

    Args:
        one: the set, all of whose clicks are scored in order.
        rows: the clicks that count.
        model: scores them.
        past: what the baselines learn from; None leaves them out.

    Raises:
        UsageProblem: the model answers none of the questions that can be asked about the set.
    """
    answers = answered(one, model)
    targets = {
        name: _target(one, rows, name, truth, answers[name], past)
        for name, truth in questions(one).items()
        if name in answers
    }
    if not targets:
        raise UsageProblem(
            f"model {model.name}/{model.version} answers nothing that the set {one.name} can tell; name another version"
        )
    first = next(iter(targets))
    return {
        "rows": int(rows.sum()),
        "model": f"{model.name}/{model.version}",
        "target": first,
        **targets[first],
        "targets": targets,
    }


def answered(one: ClickSet, model: IntentModel) -> dict[str, Floats]:
    """The model's probability [n] for each question that it answers."""
    _, purchase = one.scored(model)
    return {"purchase": purchase}


def _target(one: ClickSet, rows: Flags, name: str, truth: Truth, answer: Floats, past: Past | None) -> Figures:
    counted = rows & truth.known
    right, user = truth.right[counted], one.rows.user[counted]
    if right.all() or not right.any():
        return {"rows": int(counted.sum()), "rate": float(right.mean()) if len(right) else None}
    figures: Figures = {"rows": int(counted.sum()), **binary_figures(right, answer[counted])}
    figures["by_prefix"] = dict(_by_prefix(one, counted, truth, answer))
    figures["before_purchase"] = _before_purchase(one, counted, truth, answer)
    if past is not None:
        guesses = _guesses(past, name, one.rows.features[counted])
        figures["baselines"] = {
            guesser: binary_figures(right, guess) | auc_gain(right, answer[counted], guess, user, SEED)
            for guesser, guess in guesses.items()
        }
    return figures


def _guesses(past: Past, name: str, measured: Floats) -> dict[str, NDArray[np.float64]]:
    """Probabilities [m] of the clicks ``measured`` [m, F] by everything that is to be beaten."""
    known = past.truths[name].known
    right, features = past.truths[name].right[known], past.features[known]
    scaling = fit_scaling(features, np.ones(len(features)))
    inputs, outputs = scaling.apply(features), scaling.apply(measured)
    return {
        "prior": np.full(len(measured), right.mean()),
        "logistic": logistic(inputs, right, outputs),
        "gradient_boosted_trees": boosted(inputs, right, outputs, SEED),
    }


def _by_prefix(one: ClickSet, counted: Flags, truth: Truth, answer: Floats) -> Iterator[tuple[str, Figures]]:
    length = one.rows.features[:, _COLUMN["session_events"]]
    for prefix in PREFIXES:
        rows = counted & (length == prefix)
        right = truth.right[rows]
        if len(right) >= _LEAST_ROWS and right.any() and not right.all():
            yield str(prefix), {"rows": len(right), **binary_figures(right, answer[rows])}


def _before_purchase(one: ClickSet, counted: Flags, truth: Truth, answer: Floats) -> Figures:
    """Of clicks of sessions that have no order yet: after one, another is easy to foresee."""
    orders = one.rows.features[:, len(CLICK_CODES) + CLICK_CODES["order_completed"]]
    rows = counted & (orders == 0)
    right = truth.right[rows]
    return {"rows": len(right), **binary_figures(right, answer[rows])} if right.any() and not right.all() else {}
