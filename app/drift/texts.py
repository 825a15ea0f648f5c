"""What visitors write about, compared with the window before.

The texts that a text model learns from were written and drawn so that every intent is known, in shares that no shop
has. So there is no training to compare a shop's texts with, and a window is compared with the one before it.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.drift.distribution import SCORE, Counts, Distribution, shares_of
from app.models.manifest import Bins, Reference
from app.text.recogniser import Understood
from schemas.outputs import QUERY_INTENTS

Floats = NDArray[np.float32]

_INTENT: Final = "query_intent"
_CONFIDENCES: Final = 10


class TextDistribution(Distribution):
    """The shares of the intents, and how sure the model is of them: bins of a tenth."""

    compared_with = "the window before"

    def __init__(self) -> None:
        intents, tenths = len(QUERY_INTENTS), [number / _CONFIDENCES for number in range(1, _CONFIDENCES)]
        codes = [float(code) for code in range(intents - 1)]
        bins = Bins(_INTENT, codes, [1 / intents] * intents), Bins(SCORE, tenths, [1 / _CONFIDENCES] * _CONFIDENCES)
        super().__init__(Reference(0, [bins[0]], bins[1]), [_INTENT])

    def judged(self, counts: Counts, before: Counts | None) -> NDArray[np.float64] | None:
        """See `Distribution.judged`."""
        return (
            None if before is None else self._psi(counts, np.where(np.isnan(self._shares), np.nan, shares_of(before)))
        )


TEXTS: Final = TextDistribution()


def text_columns(texts: Sequence[Understood]) -> tuple[Floats, Floats]:
    """The columns of a `TextDistribution`: the codes of intents [n, 1], NaN where there is none, and how sure the model
    is of them [n]."""
    codes = [np.nan if text.intent is None else QUERY_INTENTS.index(text.intent) for text in texts]
    return np.array(codes, np.float32)[:, None], np.array([text.confidence for text in texts], np.float32)
