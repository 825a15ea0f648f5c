"""How well labels of texts are told: the metrics of models and baselines, by their usual names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

OUT_OF_SCOPE: Final = "oos"
"""The label of texts that have none of the others."""

REFUSED: Final = 0.05
"""The share of texts in scope that may be taken for out of scope: it sets the threshold of the recall."""

_LEAST: Final = 1e-7  # a probability of 0 counts as this much

Values = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Told:
    """What was told of n texts: the ``evidence`` [n, K] for each label, the most winning, and ``probabilities`` [n, K]
    that sum to 1 where there are any."""

    names: Sequence[str]
    evidence: Values
    probabilities: Values | None = None


def text_figures(labels: Sequence[str], told: Told) -> dict[str, float]:
    """Accuracy, macro-F1 and log-loss of what was told about texts with these ``labels`` [n]; among them may be
    `OUT_OF_SCOPE`, which count only for the AUC of the strongest evidence and the recall at `REFUSED`."""
    truth = np.array(labels, object)
    inside = truth != OUT_OF_SCOPE
    best = np.array(told.names, object)[told.evidence.argmax(axis=1)]
    found = {
        "accuracy": accuracy_score(truth[inside], best[inside]),
        "macro_f1": f1_score(truth[inside], best[inside], labels=sorted(set(truth[inside])), average="macro"),
    }
    if told.probabilities is not None:
        given = [dict(zip(told.names, row, strict=True)) for row in told.probabilities[inside].tolist()]
        of_truth = [row.get(name, 0) for row, name in zip(given, truth[inside], strict=True)]
        found["log_loss"] = -np.log(np.maximum(of_truth, _LEAST)).mean()
    if not inside.all():
        found |= _out_of_scope(inside, told.evidence.max(axis=1))
    return {name: round(float(value), 4) for name, value in found.items()}


def _out_of_scope(inside: NDArray[np.bool_], strongest: Values) -> dict[str, float]:
    threshold = np.quantile(strongest[inside], REFUSED)
    return {
        "out_of_scope_auc": float(roc_auc_score(inside, strongest)),
        "out_of_scope_recall": float((strongest[~inside] < threshold).mean()),
    }


def shares(log_odds: Values) -> Values:
    """Probabilities [n, K] that sum to 1."""
    weights = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def log_odds(probability: Values) -> Values:
    """Of a probability."""
    wide = np.clip(probability.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(wide / (1 - wide)))
