"""Numbers as decimal text, for whole columns at once."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Text = NDArray[np.uint8]

MILLION: Final = 1_000_000
_THREE: Final = np.array([list(f"{number:03d}".encode()) for number in range(1000)], np.uint8)
_ZERO, _SPACE, _POINT = b"0 ."


def whole(values: Ints, width: int) -> Text:
    """Whole numbers [n], not negative, as text [n, width]: to the right, with spaces before."""
    groups = -(-width // 3)
    text = np.empty((len(values), 3 * groups), np.uint8)
    left = values
    for group in range(groups - 1, -1, -1):
        above = left // 1000  # numpy divides faster than it takes remainders
        text[:, 3 * group : 3 * group + 3] = _THREE[left - 1000 * above]
        left = above
    text = text[:, 3 * groups - width :]
    powers = 10 ** np.arange(width - 1, 0, -1, dtype=np.int64)
    text[:, :-1][values[:, None] < powers] = _SPACE
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


def ten_thousandths(values: Ints, width: int) -> Text:
    """Numbers [n], not negative, in 1e-4, as text [n, width]: "   12.5000"."""
    units = values // 10_000
    rest = values - 10_000 * units
    text = np.empty((len(values), width), np.uint8)
    text[:, :-5] = whole(units, width - 5)
    text[:, -5] = _POINT
    tenths = rest // 1000
    text[:, -4] = tenths + _ZERO
    text[:, -3:] = _THREE[rest - 1000 * tenths]
    return text
