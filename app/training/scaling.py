"""Features to inputs: the logarithm of each, at zero mean and unit spread over the training rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LEAST_SPREAD = 1e-4
_LEAST_UNIT = 0.1  # what hardly ever differs must not shout when it does
_LEAST_ROWS = 20


@dataclass(frozen=True)
class Scaling:
    """``mean`` [F] of log(1 + feature) and the ``factor`` [F] it is multiplied by: one over its standard deviation (0.1
    if that is less), 0 where training showed no variation, so that production cannot make such a column count."""

    mean: Floats
    factor: Floats

    def apply(self, features: NDArray[np.floating[Any]]) -> Floats:
        """Scaled logarithms [n, F] of non-negative raw features [n, F]."""
        return np.asarray((np.log1p(features) - self.mean) * self.factor, np.float32)

    def folded(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Weight [F, K] and bias [K] on logarithms, equal to the given ones on scaled logarithms."""
        wide = weight.astype(np.float64) * self.factor[:, None]
        return wide.astype(np.float32), (bias - self.mean.astype(np.float64) @ wide).astype(np.float32)


def fit_scaling(features: NDArray[np.floating[Any]], weights: NDArray[np.floating[Any]]) -> Scaling:
    """Scaling of raw features [n, F], rows counting by ``weights`` [n]; a column that differs from its most common
    value in fewer than 20 rows counts as one without variation."""
    logs = np.log1p(features.astype(np.float64))
    share = weights / weights.sum()
    mean = share @ logs
    spread = np.sqrt(np.maximum(share @ logs**2 - mean**2, 0))
    differing = (logs != np.median(logs, axis=0)).sum(axis=0)
    varies = (spread > _LEAST_SPREAD) & (differing >= _LEAST_ROWS)
    factor = np.where(varies, 1 / np.maximum(spread, _LEAST_UNIT), 0)
    return Scaling(mean.astype(np.float32), factor.astype(np.float32))
