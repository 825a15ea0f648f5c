"""The strongest contributions as reasons to read."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.explain.contributions import log_odds
from app.explain.inputs import FEATURE_NAMES, INPUTS, Input
from schemas.outputs import MAX_REASONS, IntentReason

Wide = NDArray[np.float64]

_POINTS: Final = 100
_SMALLEST: Final = 0.1  # points


def points(probability: NDArray[np.float32], added: Wide) -> Wide:
    """Percentage points [n, inputs] by which a probability [n] would be lower, had an input added nothing to its
    log-odds [n, inputs]."""
    whole = log_odds(probability)[:, None]
    return np.asarray(_POINTS * (_chance(whole) - _chance(whole - np.round(added, 4))))


def _chance(odds: Wide) -> Wide:
    return np.asarray(1 / (1 + np.exp(-odds)))


def reasons(
    probability: NDArray[np.float32], added: Wide, features: NDArray[np.float32], most: int = MAX_REASONS
) -> list[list[IntentReason]]:
    """Of each click its reasons, strongest first; what moved the probability by less than 0.1 points is left out.

    Args:
        probability: that is explained [n].
        added: what each input added to its log-odds [n, inputs].
        features: of the clicks [n, F].
        most: reasons of a click.
    """
    moved = np.round(points(probability, added), 2)  # so that equals stay equal, and in order, in batches of any size
    strongest = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, :most]
    return [
        [_reason(INPUTS[number], of_click[number], values) for number in numbers if abs(of_click[number]) >= _SMALLEST]
        for numbers, of_click, values in zip(strongest.tolist(), moved.tolist(), features.tolist(), strict=True)
    ]


def _reason(one: Input, moved: float, features: Sequence[float]) -> IntentReason:
    values = dict(zip(FEATURE_NAMES, features, strict=True))
    value = None if one.quoted is None else round(values[one.quoted], 4)
    text = one.said(values)
    return IntentReason(one.name, moved, text.en, text.zh, value)
