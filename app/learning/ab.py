"""Two arms of an experiment side by side: metrics of each, their differences with intervals, and the verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from app.cli.errors import UsageProblem
from app.learning.arms import Arm, Arms, arms_of, intent_arm, risk_arm
from app.learning.comparing import SEED
from app.learning.outputs import Published
from app.models.manifest import Kind

LOWER_IS_BETTER: Final = frozenset({"log_loss", "calibration_error"})
_LEVEL = (0.025, 0.975)

Verdict = Literal["treatment", "control", "undecided"]


@dataclass(frozen=True, slots=True)
class Gap:
    """A metric's value in the treatment less that in the control, and the middle 95 % of its draws."""

    difference: float
    low: float
    high: float

    def favours(self, metric: str) -> Verdict:
        """The arm that the whole interval speaks for."""
        if not (self.low > 0 or self.high < 0):
            return "undecided"
        return "treatment" if (self.low > 0) != (metric in LOWER_IS_BETTER) else "control"


@dataclass(frozen=True, slots=True)
class Question:
    """What to compare: the ``kind`` of model, the versions (None: the two with most outputs), and after how long an
    order without a label is good."""

    kind: Kind
    control: str | None
    treatment: str | None
    label_ms: int


def experiment(published: Published, question: Question) -> dict[str, object]:
    """The report of an experiment.

    Raises:
        UsageProblem: there are no two arms, or one of them has no outputs whose outcome is known.
    """
    outputs = published.intents if question.kind == "intent" else published.risks
    arms = arms_of(outputs, question.control, question.treatment)
    control, treatment = (_arm(published, question, arms, version) for version in (arms.control, arms.treatment))
    gaps = gaps_of(control, treatment)
    verdict, why = decided(gaps)
    return {
        "control": {"version": arms.control, "users": control.users} | _known(control.figures()),
        "treatment": {"version": arms.treatment, "users": treatment.users} | _known(treatment.figures()),
        "differences": {
            name: {"difference": gap.difference, "low": gap.low, "high": gap.high, "favours": gap.favours(name)}
            for name, gap in gaps.items()
        },
        "users_of_both": arms.of_both,
        "since": arms.since,
        "until": arms.until,
        "verdict": verdict,
        "why": why,
    }


def gaps_of(control: Arm, treatment: Arm, draws: int = 400, seed: int = SEED) -> dict[str, Gap]:
    """The differences of all metrics; whole users are drawn with replacement, in each arm by itself."""
    random = np.random.default_rng(seed)
    drawn = [{name: after - before for name, before, after in _pairs(control, treatment, random)} for _ in range(draws)]
    first, second = control.figures(), treatment.figures()
    return {name: _gap(second[name] - value, [one[name] for one in drawn]) for name, value in first.items()}


def decided(gaps: Mapping[str, Gap]) -> tuple[Verdict, str]:
    """The better arm: some metric speaks for it for sure, and none against it."""
    treatment, control = (
        [name for name, gap in gaps.items() if gap.favours(name) == arm] for arm in ("treatment", "control")
    )
    if treatment and control:
        return "undecided", f"the treatment is better in {_listed(treatment)}, and worse in {_listed(control)}"
    if treatment:
        return "treatment", f"it is better in {_listed(treatment)}, and worse in nothing that can be told"
    if control:
        return "control", f"the treatment is worse in {_listed(control)}, and better in nothing that can be told"
    return "undecided", "no difference is shown: every 95 % interval holds 0"


def _arm(published: Published, question: Question, arms: Arms, version: str) -> Arm:
    if question.kind == "intent":
        arm, missing = intent_arm(published, arms, version), "sessions that are over"
    else:
        arm, missing = risk_arm(published, arms, version, question.label_ms), "orders whose truth is known"
    if arm.is_empty:
        raise UsageProblem(f"version {version} has no {missing} by users of one arm; give it data of a longer time")
    return arm


def _pairs(control: Arm, treatment: Arm, random: np.random.Generator) -> list[tuple[str, float, float]]:
    first, second = (arm.figures(_draw(arm.users, random)) for arm in (control, treatment))
    return [(name, first[name], second[name]) for name in first]


def _draw(users: int, random: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.bincount(random.integers(0, users, users), minlength=users)


def _gap(difference: float, drawn: Sequence[float]) -> Gap:
    known = [value for value in drawn if math.isfinite(value)]
    low, high = np.quantile(known, _LEVEL).tolist() if known else (-math.inf, math.inf)
    return Gap(round(difference, 5), round(low, 5), round(high, 5))


def _known(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: round(value, 5) if math.isfinite(value) else None for name, value in figures.items()}


def _listed(metrics: Sequence[str]) -> str:
    return " and ".join(metric.replace("_", " ") for metric in metrics)
