"""Texts as one column of code points, in one spelling: whatever they hold, nothing in it fails."""

from collections.abc import Sequence
from typing import Final
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Kinds = NDArray[np.uint8]

SPACE, SIGN, WORD, HAN, EDGE = 0, 1, 2, 3, 4
"""Kinds of code points: white space, punctuation and signs, letters and digits, Chinese characters, and what stands
before, between and after texts."""

MAX_CHARACTERS: Final = 2_000
"""Of one text, the contract's most; the rest is not read."""

_EDGE: Final = "\x00"
_BEYOND: Final = 0x10000  # stands for the code points outside the basic plane in tables: emoji and rare characters


def code_points(texts: Sequence[str]) -> tuple[Codes, Kinds]:
    """The code points of ``texts`` [n] one after the other, an edge before each and one at the end; and their kinds.

    In compatibility form (NFKC: full-width letters and digits become plain), lower case, each digit as 0, white space
    as one space. Half of a surrogate pair is a sign like any other. No text changes what another becomes.
    """
    codes = np.frombuffer(_joined(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    places = np.minimum(codes, _BEYOND)
    kinds, plain = _KINDS[places], _PLAIN[places]
    blank = kinds == SPACE
    keep = np.ones(len(codes), np.bool_)
    np.logical_not(blank[1:] & (blank[:-1] | (kinds[:-1] == EDGE)), out=keep[1:])
    return np.where(places == _BEYOND, codes, plain)[keep], kinds[keep]


def _joined(texts: Sequence[str]) -> str:
    short = [text[:MAX_CHARACTERS] for text in texts]
    joined = _EDGE.join(["", *short, ""])
    if joined.count(_EDGE) > len(short) + 1:
        joined = _EDGE.join(["", *(text.replace(_EDGE, " ") for text in short), ""])
    # The edge neither composes with what follows it nor is it skipped where case depends on what stands beside.
    return (joined if joined.isascii() else normalize("NFKC", joined)).lower()


def _kinds() -> Kinds:
    kinds = np.full(_BEYOND + 1, WORD, np.uint8)
    ascii_ = [chr(code) for code in range(128)]
    kinds[:128] = [SPACE if c.isspace() else WORD if c.isalnum() else SIGN for c in ascii_]
    for start, end in _SIGNS:
        kinds[start:end] = SIGN
    for start, end in _HAN:
        kinds[start:end] = HAN
    kinds[[ord(c) for c in _SPACES]] = SPACE
    kinds[ord(_EDGE)] = EDGE
    return kinds


def _plain(kinds: Kinds) -> Codes:
    """What each code point of the basic plane is read as."""
    plain = np.arange(_BEYOND + 1, dtype=np.uint32)
    plain[kinds == SPACE] = ord(" ")
    plain[ord("0") : ord("9") + 1] = ord("0")
    return plain


# Latin-1; punctuation, arrows, boxes, pictures; CJK punctuation; halves of surrogate pairs; selectors; the rest.
_SIGNS: Final = (
    (0x80, 0xC0),
    (0x2000, 0x2C00),
    (0x3000, 0x3040),
    (0xD800, 0xE000),
    (0xFE00, 0xFE70),
    (0xFFE0, _BEYOND + 1),
)
_HAN: Final = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00))
_SPACES: Final = "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_KINDS: Final = _kinds()
_PLAIN: Final = _plain(_KINDS)
