"""A challenger against the champion on the same rows: differences with their intervals, and what they decide.

Whole users are drawn with replacement, for both alike: rows of one user resemble each other, and two intervals side by
side would say less than that of the difference (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from app.training.figures import Ranking

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Values = NDArray[np.floating[Any]]
Measure = Callable[[Ints], float]
"""A metric of rows that count by a weight [n]; not a number where it cannot be told."""

SEED: Final = 20_260_101
_LEAST = 1e-7
_LEVEL = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of both, and the challenger's less the champion's with the middle 95 % of its draws."""

    metric: str
    champion: float
    challenger: float
    difference: float
    low: float
    high: float

    @property
    def favours(self) -> Literal["challenger", "champion"] | None:
        """Whom the whole interval speaks for; less log-loss is better."""
        if not (self.low > 0 or self.high < 0):
            return None
        return "challenger" if (self.low > 0) != (self.metric == "log_loss") else "champion"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the challenger should serve, and why."""

    verdict: Literal["promote", "keep"]
    why: str


def compared(
    truth: Flags, champion: Values, challenger: Values, user: Sequence[str] | Ints, draws: int = 400, seed: int = SEED
) -> list[Difference]:
    """AUC, average precision and log-loss of both on rows [n] of these users [n].

    Args:
        truth: what came true [n]; both true and false occur.
        champion: its probabilities [n].
        challenger: its probabilities [n].
        user: of each row.
        draws: of whole users.
        seed: of the draws.
    """
    users, of_row = np.unique(np.asarray(user), return_inverse=True)
    random = np.random.default_rng(seed)
    pairs = {name: (measure(truth, champion), measure(truth, challenger)) for name, measure in METRICS.items()}
    once = np.ones(len(truth), np.int64)
    drawn: dict[str, list[float]] = {name: [] for name in pairs}
    for _ in range(draws):
        weight = np.bincount(random.integers(0, len(users), len(users)), minlength=len(users))[of_row]
        for name, (first, second) in pairs.items():
            drawn[name].append(second(weight) - first(weight))
    return [_difference(name, first(once), second(once), drawn[name]) for name, (first, second) in pairs.items()]


def decided(differences: Sequence[Difference]) -> Decision:
    """Promote where some metric is better for sure and none is worse for sure."""
    better = [one.metric for one in differences if one.favours == "challenger"]
    worse = [one.metric for one in differences if one.favours == "champion"]
    if worse:
        return Decision("keep", f"the challenger is worse in {_listed(worse)}: the 95 % interval leaves out 0")
    if not better:
        return Decision(
            "keep", "no difference is shown: every 95 % interval holds 0; more data, or a better challenger"
        )
    return Decision("promote", f"the challenger is better in {_listed(better)}, and worse in nothing that can be told")


def area(truth: Flags, values: Values) -> Measure:
    """The area under the ROC curve."""
    return Ranking.of(truth, values).auc


def precision(truth: Flags, values: Values) -> Measure:
    """Average precision, as scikit-learn defines it."""
    ranking = Ranking.of(truth, values)

    def of(weight: Ints) -> float:
        counts = weight[ranking.order].astype(np.float64)
        good = np.bincount(ranking.tie, counts * ranking.truth)[::-1]
        flagged, right = np.bincount(ranking.tie, counts)[::-1].cumsum(), good.cumsum()
        if right[-1] == 0:
            return float("nan")
        return float((good * np.divide(right, flagged, where=flagged > 0, out=np.zeros_like(right))).sum() / right[-1])

    return of


def log_loss(truth: Flags, values: Values) -> Measure:
    """The mean negative log-likelihood."""
    wide = np.clip(values.astype(np.float64), _LEAST, 1 - _LEAST)
    losses = -np.log(np.where(truth, wide, 1 - wide))
    return lambda weight: float((losses * weight).sum() / weight.sum())


METRICS: Final[Mapping[str, Callable[[Flags, Values], Measure]]] = {
    "auc": area,
    "average_precision": precision,
    "log_loss": log_loss,
}


def _difference(name: str, champion: float, challenger: float, drawn: Sequence[float]) -> Difference:
    known = np.array(drawn)[np.isfinite(drawn)]
    low, high = np.quantile(known, _LEVEL).tolist() if len(known) else (float("-inf"), float("inf"))
    rounded = (round(value, 5) for value in (champion, challenger, challenger - champion, low, high))
    return Difference(name, *rounded)


def _listed(metrics: Sequence[str]) -> str:
    return " and ".join(metric.replace("_", " ") for metric in metrics)
