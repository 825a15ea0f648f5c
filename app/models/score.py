"""From a calibrated probability to the contract's risk score and back to its bands."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.models.manifest import ScoreMapping
from schemas.outputs import ELEVATED_FROM, HIGHEST_FROM

_LOWEST = np.array([0, ELEVATED_FROM, HIGHEST_FROM])
_HIGHEST = np.array([ELEVATED_FROM - 1, HIGHEST_FROM - 1, 100])


def risk_score(probability: NDArray[np.floating[Any]], mapping: ScoreMapping) -> NDArray[np.int64]:
    """Risk scores [n], 0 to 100, of calibrated probabilities [n].

    Straight lines through (0, 0), (``p_elevated``, 65), (``p_highest``, 75) and (1, 100), rounded down, so that
    ``score >= 65`` exactly where ``probability >= p_elevated``, and 75 likewise.
    """
    wide = probability.astype(np.float64)
    limits = (mapping.p_elevated, mapping.p_highest)
    band = np.searchsorted(limits, wide, side="right")
    score = np.interp(wide, (0.0, *limits, 1.0), (0, ELEVATED_FROM, HIGHEST_FROM, 100))
    # The line may round to a whole number just below a limit.
    return np.clip(np.floor(score).astype(np.int64), _LOWEST[band], _HIGHEST[band])
