"""Numbers as decimal text, for whole columns at once."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Text = NDArray[np.uint8]

MILLION: Final = 1_000_000
_ZERO: Final = ord("0")
_TEN_THOUSAND: Final = 10_000


def _fours(texts: Iterable[str]) -> NDArray[np.uint32]:
    """Texts of four characters as one number each, which is the fastest way to copy them."""
    return np.frombuffer("".join(texts).encode(), np.uint32)


_PADDED: Final = ["    ", *(f"{number:4d}" for number in range(1, _TEN_THOUSAND))]
_DIGITS: Final = _fours([f"{number:04d}" for number in range(_TEN_THOUSAND)] + _PADDED)
_HUNDREDTHS: Final = _fours(f"{number / 100:.2f}" for number in range(101))


def whole(values: Ints) -> Text:
    """Whole numbers [...], 0 to 10**16 - 1, as text [..., 16]: to the right, with spaces before."""
    fours = np.empty((*values.shape, 4), np.uint32)
    left = values
    for place in range(3, -1, -1):
        above = left // _TEN_THOUSAND  # numpy divides faster than it takes remainders
        digits = left - _TEN_THOUSAND * above
        fours[..., place] = _DIGITS[digits + _TEN_THOUSAND * (above == 0)]
        left = above
    text = fours.view(np.uint8)
    np.maximum(text[..., -1], _ZERO, out=text[..., -1])  # the last digit of 0 is no space
    return text


def millionths(values: Ints) -> Text:
    """Millionths [...] of 0 to 1 as text [..., 8]: "0.123456"."""
    hundredths = values // _TEN_THOUSAND
    fours = np.empty((*values.shape, 2), np.uint32)
    fours[..., 0] = _HUNDREDTHS[hundredths]
    fours[..., 1] = _DIGITS[values - _TEN_THOUSAND * hundredths]
    return fours.view(np.uint8)


def fraction(values: Ints) -> Text:
    """Ten-thousandths [n], 0 to 9999, as the text [n, 4] that follows a decimal point."""
    return _DIGITS[values][:, None].view(np.uint8)
