"""What a model must beat: the rates of the past, and the usual learners on the same inputs."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from schemas.outputs import INTENTS

Floats = NDArray[np.float32]

_ITERATIONS = 200


def prior_intents(learned: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    """The share of each intent among those ``learned``, for as many ``rows`` [rows, 7]."""
    share = np.bincount(learned, minlength=len(INTENTS)) / len(learned)
    return np.tile(share, (rows, 1))


def logistic(inputs: Floats, truth: NDArray[np.bool_], measured: Floats) -> NDArray[np.float64]:
    """Probabilities [m] for the rows ``measured`` [m, F], learned from ``inputs`` [n, F] and 0/1 [n]."""
    varies = _varies(inputs)
    return np.asarray(_fitted(inputs[:, varies], truth).predict_proba(measured[:, varies])[:, 1], np.float64)


def boosted(inputs: Floats, truth: NDArray[np.bool_], measured: Floats, seed: int) -> NDArray[np.float64]:
    """Probabilities [m] for the rows ``measured`` [m, F] by gradient-boosted trees on ``inputs`` [n, F] and 0/1 [n]."""
    trees = HistGradientBoostingClassifier(
        max_iter=120,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=100,
        l2_regularization=10,
        random_state=seed,
    )
    return np.asarray(trees.fit(inputs, truth).predict_proba(measured)[:, 1], np.float64)


def logistic_intents(inputs: Floats, truth: NDArray[np.int64], measured: Floats) -> NDArray[np.float64]:
    """Probabilities [m, 7] for the rows ``measured`` [m, F], learned from ``inputs`` [n, F] and intents [n]."""
    varies = _varies(inputs)
    fitted = _fitted(inputs[:, varies], truth)
    probabilities = np.zeros((len(measured), len(INTENTS)))
    probabilities[:, fitted.classes_] = fitted.predict_proba(measured[:, varies])
    return probabilities


def _varies(inputs: Floats) -> NDArray[np.bool_]:
    """Columns that can tell anything in this set [F]; the others only take time."""
    return np.asarray(inputs.max(axis=0) > inputs.min(axis=0))


def _fitted(inputs: Floats, truth: NDArray[Any]) -> LogisticRegression:
    with warnings.catch_warnings():
        # Some hundred steps settle the metrics; the last digits of the weights would take thousands.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=0.1, max_iter=_ITERATIONS).fit(inputs, truth)
