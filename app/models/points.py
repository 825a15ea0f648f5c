"""What each feature contributed to a risk score, in points of the score."""

import numpy as np
from numpy.typing import NDArray

from app.models.manifest import ScoreMapping
from schemas.outputs import ELEVATED_FROM, HIGHEST_FROM

_NEAREST = 1e-4


def risk_points(
    probability: NDArray[np.float32], contributions: NDArray[np.float32], mapping: ScoreMapping
) -> NDArray[np.float64]:
    """Points [n, features] by which the score would change, had the feature added nothing to the log-odds.

    Args:
        probability: calibrated, of fraud [n].
        contributions: what each feature adds to the log-odds [n, features].
        mapping: from probabilities to scores.
    """
    # Near 0 and 1 the log-odds of a float32 are mostly rounding, which differs between batches of different sizes.
    rounded = np.round(probability.astype(np.float64), 6)
    wide = np.minimum(np.maximum(rounded, _NEAREST), 1 - _NEAREST)[:, None]
    added = np.round(contributions.astype(np.float64), 4)
    without = 1 / (1 + np.exp(added - np.log(wide / (1 - wide))))
    return np.asarray(_score(wide, mapping) - _score(without, mapping))


def _score(probability: NDArray[np.float64], mapping: ScoreMapping) -> NDArray[np.float64]:
    limits = (0.0, mapping.p_elevated, mapping.p_highest, 1.0)
    return np.interp(probability, limits, (0.0, ELEVATED_FROM, HIGHEST_FROM, 100.0))
