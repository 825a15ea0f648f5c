"""Linear functions fitted by least squares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_PENALTY = 1e-4  # of a column's variance: columns that never vary get weight 0


def ridge(inputs: NDArray[np.floating[Any]], wanted: NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """Weight [c, k] and bias [k] that give ``wanted`` [n, k] from ``inputs`` [n, c] best."""
    wide, truth = inputs.astype(np.float64), wanted.astype(np.float64)
    mean, middle = wide.mean(axis=0), truth.mean(axis=0)
    spread = wide.std(axis=0)
    varies = spread > 0
    scaled = (wide - mean)[:, varies] / spread[varies]
    moments = scaled.T @ scaled / len(scaled) + _PENALTY * np.eye(scaled.shape[1])
    weight = np.zeros((wide.shape[1], truth.shape[1]))
    weight[varies] = np.linalg.solve(moments, scaled.T @ (truth - middle) / len(scaled)) / spread[varies, None]
    return weight.astype(np.float32), (middle - mean @ weight).astype(np.float32)
