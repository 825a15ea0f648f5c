"""The metrics of models and baselines, by their usual names."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
)

Values = NDArray[np.floating[Any]]

_LEAST = 1e-7


def binary_figures(truth: NDArray[Any], probability: Values) -> dict[str, float]:
    """AUC, average precision, log-loss and Brier score of probabilities [n] against 0/1 [n], and the true ``rate``."""
    wide = np.clip(probability.astype(np.float64), _LEAST, 1 - _LEAST)
    return _rounded(
        auc=roc_auc_score(truth, wide),
        average_precision=average_precision_score(truth, wide),
        log_loss=log_loss(truth, wide),
        brier=brier_score_loss(truth, wide),
        rate=np.mean(truth),
    )


def class_figures(truth: NDArray[np.int64], probabilities: Values) -> dict[str, float]:
    """Accuracy, macro-F1 (over the classes that occur) and log-loss of probabilities [n, K] against classes [n]."""
    wide = np.clip(probabilities.astype(np.float64), _LEAST, 1)
    wide /= wide.sum(axis=1, keepdims=True)
    present = np.unique(truth)
    return _rounded(
        accuracy=accuracy_score(truth, wide.argmax(axis=1)),
        macro_f1=f1_score(truth, wide.argmax(axis=1), labels=present, average="macro", zero_division=0),
        log_loss=log_loss(truth, wide, labels=np.arange(wide.shape[1])),
    )


def best_threshold(truth: NDArray[np.bool_], probability: Values) -> float:
    """The probability [n] from which on saying yes to 0/1 [n] gives the best F1."""
    precision, recall, thresholds = precision_recall_curve(truth, probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, _LEAST)
    return round(float(thresholds[f1[:-1].argmax()]), 4)


def auc_gain(
    truth: NDArray[np.bool_], model: Values, baseline: Values, user: NDArray[np.int64], seed: int, draws: int = 200
) -> dict[str, float]:
    """How much AUC ``model`` [n] has over ``baseline`` [n], as the middle 95 % of ``draws`` draws of whole users [n].

    Clicks of one user are alike, and both are measured on the same users: two intervals side by side would say less.
    """
    users, of_row = np.unique(user, return_inverse=True)
    random = np.random.default_rng(seed)
    first, second = Ranking.of(truth, model), Ranking.of(truth, baseline)
    gains = []
    for _ in range(draws):
        weight = np.bincount(random.integers(0, len(users), len(users)), minlength=len(users))[of_row]
        gains.append(first.auc(weight) - second.auc(weight))
    known = np.array(gains)[np.isfinite(gains)]  # a draw of few users may have rows of one kind alone
    if len(known) == 0:
        return {}
    low, high = np.quantile(known, [0.025, 0.975])
    return _rounded(auc_gain_low=low, auc_gain_high=high)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows [n] from the lowest value to the highest: their ``order``, which are true in that order, and the number of
    each one's ``tie`` among equal values. Sorted once, for areas under any weights."""

    order: NDArray[np.int64]
    truth: NDArray[np.bool_]
    tie: NDArray[np.int64]

    @classmethod
    def of(cls, truth: NDArray[np.bool_], values: Values) -> "Ranking":
        """The ranking of ``values`` [n] that are to tell ``truth`` [n]."""
        order = np.argsort(values, kind="stable")
        return cls(order, truth[order], np.cumsum(np.diff(values[order], prepend=values[order[:1]]) != 0))

    def auc(self, weight: NDArray[np.integer[Any]]) -> float:
        """The area under the ROC curve, rows counting by ``weight`` [n]; not a number where all are of one kind."""
        of_row = weight[self.order].astype(np.float64)
        good, bad = (np.bincount(self.tie, of_row * kind) for kind in (self.truth, ~self.truth))
        below = np.cumsum(bad) - bad / 2
        pairs = good.sum() * bad.sum()
        return float((good * below).sum() / pairs) if pairs else float("nan")


def card_precision(
    truth: NDArray[np.bool_], probability: Values, card: NDArray[np.int64], day: NDArray[np.int64], top: int = 100
) -> float:
    """Share of frauds among the ``top`` cards of each day by their riskiest payment, the mean over days.

    A card that was caught is not looked at again. Source: Le Borgne et al., Fraud Detection Handbook (2022), chapter 4.

    Args:
        truth: whether each payment was a fraud [n].
        probability: of fraud [n].
        card: number of the card [n].
        day: number of the day [n].
        top: cards looked at per day.
    """
    caught: set[int] = set()
    precision = []
    for today in np.unique(day):
        rows = (day == today) & ~np.isin(card, list(caught))
        cards, place = np.unique(card[rows], return_inverse=True)
        riskiest, bad = np.zeros(len(cards)), np.zeros(len(cards), np.bool_)
        np.maximum.at(riskiest, place, probability[rows])
        np.logical_or.at(bad, place, truth[rows])
        first = np.argsort(-riskiest, kind="stable")[:top]
        precision.append(bad[first].sum() / top)
        caught |= set(cards[first][bad[first]].tolist())
    return round(float(np.mean(precision)), 4)


def _rounded(**figures: float) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in figures.items()}
