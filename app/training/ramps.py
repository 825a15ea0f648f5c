"""Piecewise-linear functions of each feature's logarithm, as sums of ramps that rise from 0 to 1 between two knots.

A sum of ramps is constant beyond the outermost knots, so no value of production is extrapolated; a linear model on
ramps is additive (Hastie and Tibshirani, 1986), so what each feature adds is exact.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_QUANTILES = np.concatenate([np.linspace(0, 1, 17), [0.98, 0.99, 0.995, 0.998, 0.999]])
_FRAUD_QUANTILES = np.linspace(0, 1, 11)
_LEAST_STEP = 1e-3
_LEAST_SPREAD = 1e-4


@dataclass(frozen=True)
class Ramps:
    """Ramp k of feature j rises from ``starts[j, k]`` on, by ``slopes[j, k]``; slope 0 is no ramp [G, K]."""

    starts: Floats
    slopes: Floats

    def apply(self, features: NDArray[np.floating[Any]]) -> Floats:
        """Ramps [n, G * K] of non-negative raw features [n, G]."""
        logs = np.log1p(features.astype(np.float32))[:, :, None]
        return np.asarray(np.clip((logs - self.starts) * self.slopes, 0, 1).reshape(len(features), self.starts.size))


def fit_ramps(features: NDArray[np.floating[Any]], fraud: NDArray[np.bool_]) -> Ramps:
    """Ramps between quantiles of features [n, G] over all rows, the upper end finely, and over the frauds [n].

    A limit that frauds keep to (the handbook's amount of 220) then lies between two near knots. A feature without
    variation gets no ramp.
    """
    knots = [_knots(column, fraud) for column in np.log1p(features.astype(np.float64)).T]
    most = max(1, *(len(of_one) - 1 for of_one in knots))
    starts = np.zeros((len(knots), most), np.float32)
    slopes = np.zeros((len(knots), most), np.float32)
    for row, of_one in enumerate(knots):
        lengths = np.diff(of_one)
        starts[row, : len(lengths)] = of_one[:-1]
        slopes[row, : len(lengths)] = 1 / lengths
    return Ramps(starts, slopes)


def _knots(column: NDArray[np.float64], fraud: NDArray[np.bool_]) -> NDArray[np.float64]:
    if column.std() < _LEAST_SPREAD:
        return np.zeros(0)
    found = np.quantile(column, _QUANTILES)
    if fraud.any():
        found = np.concatenate([found, np.quantile(column[fraud], _FRAUD_QUANTILES)])
    found = np.unique(found)
    # Two knots too near each other would make a ramp steeper than float32 can place.
    return found[np.concatenate(([True], np.diff(found) >= _LEAST_STEP))]
