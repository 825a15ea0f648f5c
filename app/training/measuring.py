"""The intent model on clicks that did not train it, beside the prior and the usual learners on the same inputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.features.clicks import CLICK_FEATURES
from app.models.outlook import OUTLOOK, SESSION_ENDS
from app.models.runtime import IntentModel
from app.training.baselines import boosted, logistic
from app.training.click_sets import ClickSet
from app.training.figures import auc_gain, binary_figures
from app.training.fitting import Inputs
from app.training.sources import LEARN
from schemas.events import CLICK_CODES

PREFIXES = (1, 3, 5, 10, 15)
"""Clicks of a session after which the model is measured by itself."""

SEED = 20_260_101

_LEAST_ROWS = 30
_ORDERS = len(CLICK_CODES) + CLICK_CODES["order_completed"]  # the count of this session
_COLUMN = {feature.name: index for index, feature in enumerate(CLICK_FEATURES)}

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Figures = dict[str, float]


@dataclass(frozen=True, eq=False)
class Truth:
    """A question with two answers: which was ``right`` for each click [n], and where that is ``known`` [n]."""

    right: Flags
    known: Flags


@dataclass(frozen=True, eq=False)
class Past:
    """What the baselines learn from and are asked: inputs [k, F] of earlier clicks with what was true of them by
    question, and inputs [n, F] of the clicks of the set to be measured, all the same as the model has."""

    inputs: Floats
    truths: Mapping[str, Truth]
    asked: Floats

    @classmethod
    def of(cls, one: ClickSet, known: ClickSet | None = None) -> "Past":
        """The clicks of the part LEARN of ``known``, of the set ``one`` itself if None."""
        sets = [one] if known is None else [known, one]
        columns = Inputs.of(sets, [LEARN]).columns
        rows = sets[0].part == LEARN
        truths = {name: Truth(truth.right[rows], truth.known[rows]) for name, truth in questions(sets[0]).items()}
        return cls(columns[: len(rows)][rows], truths, columns[len(columns) - len(one.part) :])


def questions(one: ClickSet) -> dict[str, Truth]:
    """What can be asked about the clicks of a set, the most important first; only what happens in it."""
    always = np.ones(len(one.rows.ts), np.bool_)
    found = {
        "purchase": Truth(one.labels.purchase, always),
        "purchase_24h": Truth(one.outlook.within_day, one.outlook.day_known_until(one.rows.ts.max())),
        "session_end": Truth(one.outlook.ends, always),
        "abandonment": Truth(one.labels.abandons, always),
        "same_category": Truth(one.outlook.same_category, one.outlook.category_known),
    }
    return {name: truth for name, truth in found.items() if truth.right.any()}


@dataclass(frozen=True)
class Target:
    """How well one question was answered: figures of the ``model`` over ``rows`` clicks (None where all have the same
    answer), ``by_prefix`` of the session, of clicks ``before_purchase``, and of the ``baselines``."""

    rows: int
    rate: float
    model: Figures | None
    by_prefix: dict[str, Figures]
    before_purchase: Figures | None
    baselines: dict[str, Figures]

    def told(self) -> dict[str, object]:
        """For a report, by the names of the contract."""
        told: dict[str, object] = {
            "rows": self.rows,
            "rate": self.rate,
            **(self.model or {}),
            "by_prefix": self.by_prefix,
        }
        return told | {"before_purchase": self.before_purchase, "baselines": self.baselines}

    def by_model(self) -> dict[str, Figures]:
        """The figures of the model and everything beside it, by name."""
        found = {"model": self.model or {}, **self.baselines}
        found |= {f"model, click {prefix}": figures for prefix, figures in self.by_prefix.items()}
        return found | ({"model, before an order": self.before_purchase} if self.before_purchase else {})


@dataclass(frozen=True)
class Evaluated:
    """The ``targets`` by question, the most important first."""

    rows: int
    model: str
    targets: dict[str, Target]

    def told(self) -> dict[str, object]:
        """For a report: the first question's figures on top, all questions below ``targets``."""
        first = next(iter(self.targets))
        targets = {name: target.told() for name, target in self.targets.items()}
        return {"model": self.model, "target": first, **targets[first], "rows": self.rows, "targets": targets}


def evaluated(one: ClickSet, rows: Flags, model: IntentModel, past: Past | None) -> Evaluated:
    """How well a model answers about the ``rows`` [n] of a set.

    Args:
        one: the set, all of whose clicks are scored in order.
        rows: the clicks that count.
        model: scores them.
        past: what the baselines learn from; None leaves them out.

    Raises:
        UsageProblem: the model answers none of the questions that can be asked about the set.
    """
    answers = answered(one, model)
    asked = {name: truth for name, truth in questions(one).items() if name in answers}
    if not asked:
        raise UsageProblem(
            f"model {model.name}/{model.version} answers nothing that the set {one.name} can tell; name another version"
        )
    targets = {name: _target(one, rows, name, truth, answers[name], past) for name, truth in asked.items()}
    return Evaluated(int(rows.sum()), f"{model.name}/{model.version}", targets)


def answered(one: ClickSet, model: IntentModel) -> dict[str, Floats]:
    """The model's probability [n] for each question that it answers."""
    _, purchase, outlook = one.scored(model)
    found = {
        "purchase": purchase,
        "purchase_24h": outlook[:, OUTLOOK.index("purchase_24h")],
        "session_end": outlook[:, SESSION_ENDS],
        "abandonment": outlook[:, OUTLOOK.index("abandonment")],
        "same_category": outlook[:, OUTLOOK.index("same_category")],
    }
    return {name: answer for name, answer in found.items() if np.isfinite(answer).all()}


def _target(one: ClickSet, rows: Flags, name: str, truth: Truth, answer: Floats, past: Past | None) -> Target:
    counted = rows & truth.known
    right, guesses = truth.right[counted], {}
    figures = _told(counted, truth, answer)
    if past is not None and figures is not None:
        guesses = _guesses(past, name, counted)
    return Target(
        rows=int(counted.sum()),
        rate=float(right.mean()) if len(right) else float("nan"),
        model=figures,
        by_prefix=dict(_by_prefix(one, counted, truth, answer)),
        before_purchase=_told(counted & (one.rows.features[:, _ORDERS] == 0), truth, answer),
        baselines={
            guesser: binary_figures(right, guess)
            | (auc_gain(right, answer[counted], guess, one.rows.user[counted], SEED) if guess.std() else {})
            for guesser, guess in guesses.items()
        },
    )


def _told(rows: Flags, truth: Truth, answer: Floats) -> Figures | None:
    """Figures of some clicks, if there are enough and not all alike."""
    right = truth.right[rows]
    if len(right) < _LEAST_ROWS or right.all() or not right.any():
        return None
    return binary_figures(right, answer[rows]) | {"rows": float(len(right))}


def _guesses(past: Past, name: str, counted: Flags) -> dict[str, NDArray[np.float64]]:
    """Probabilities [m] of the ``counted`` clicks [n] by everything that is to be beaten."""
    known = past.truths[name].known
    right, inputs, asked = past.truths[name].right[known], past.inputs[known], past.asked[counted]
    return {
        "prior": np.full(len(asked), right.mean()),
        "logistic": logistic(inputs, right, asked),
        "gradient_boosted_trees": boosted(inputs, right, asked, SEED),
    }


def _by_prefix(one: ClickSet, counted: Flags, truth: Truth, answer: Floats) -> Iterator[tuple[str, Figures]]:
    length = one.rows.features[:, _COLUMN["session_events"]]
    for prefix in PREFIXES:
        if figures := _told(counted & (length == prefix), truth, answer):
            yield str(prefix), figures
