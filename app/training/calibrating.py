"""Calibration on rows that did not train the weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.floating[Any]]

_LEAST = 1e-7


def log_odds(probability: Floats) -> NDArray[np.float64]:
    """Log-odds [n] of probabilities [n], finite."""
    wide = np.clip(probability.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(wide) - np.log1p(-wide))


def probability(odds: Floats) -> NDArray[np.float64]:
    """Probabilities [n] of log-odds [n]."""
    return np.asarray(1 / (1 + np.exp(-odds.astype(np.float64))))


def platt(probabilities: Floats, truth: NDArray[np.bool_], weight: Floats) -> tuple[float, float]:
    """Slope and offset on the log-odds that fit probabilities [n] to 0/1 [n] best, rows counting by ``weight`` [n].

    Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    """
    fitted = LogisticRegression(C=np.inf).fit(log_odds(probabilities)[:, None], truth, sample_weight=weight)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def temperature(probabilities: Floats, truth: NDArray[np.int64], weight: Floats) -> float:
    """What to divide the log-probabilities [n, K] by so that they fit the classes [n] best (arXiv:1706.04599)."""
    logs = np.log(np.clip(probabilities.astype(np.float64), _LEAST, 1))
    rows = np.arange(len(truth))

    def loss(by: float) -> float:
        scaled = logs / by
        most = scaled.max(axis=1)
        total = most + np.log(np.exp(scaled - most[:, None]).sum(axis=1))
        return float((weight * (total - scaled[rows, truth])).sum())

    return float(min(np.geomspace(0.5, 2, 81), key=loss))
