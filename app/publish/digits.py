"""Numbers as decimal text, for whole columns at once."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Text = NDArray[np.uint8]

MILLION: Final = 1_000_000
_THREE: Final = np.array([list(f"{number:03d}".encode()) for number in range(1000)], np.uint8)
_POWERS: Final = 10 ** np.arange(14, 0, -1, dtype=np.int64)
_ZERO, _SPACE, _POINT = b"0 ."


def whole(values: Ints) -> Text:
    """Whole numbers [...], 0 to 10**15, as text [..., 15]: to the right, with spaces before."""
    text = np.empty((*values.shape, 15), np.uint8)
    left = values
    for start in range(12, -1, -3):
        above = left // 1000  # numpy divides faster than it takes remainders
        text[..., start : start + 3] = _THREE[left - 1000 * above]
        left = above
    text[..., :-1][values[..., None] < _POWERS] = _SPACE
    return text


def millionths(values: Ints) -> Text:
    """Millionths [...] of 0 to 1 as text [..., 8]: "0.123456"."""
    thousandths = values // 1000
    text = np.empty((*values.shape, 8), np.uint8)
    text[..., 0] = (values >= MILLION) + _ZERO
    text[..., 1] = _POINT
    text[..., 2:5] = _THREE[np.where(thousandths < 1000, thousandths, 0)]
    text[..., 5:] = _THREE[values - 1000 * thousandths]
    return text


def fraction(values: Ints) -> Text:
    """Ten-thousandths [n], 0 to 9999, as the text [n, 4] that follows a decimal point."""
    tenths = values // 1000
    text = np.empty((len(values), 4), np.uint8)
    text[:, 0] = tenths + _ZERO
    text[:, 1:] = _THREE[values - 1000 * tenths]
    return text
