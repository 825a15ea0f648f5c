"""Hashed n-grams of characters and of words, for a whole batch of texts at once.

A text is the bag of these: one to three Chinese characters in a row, two to five other characters in a row (white space
and the text's edges count), single signs, words, and pairs of words. Each falls into one of `BUCKETS` by its hash.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.text.normalise import EDGE, HAN, SIGN, WORD, Kinds, code_points

FEATURES: Final = ["1-3 Chinese characters", "2-5 other characters", "1-2 words", "hash 1", "65536 buckets"]
"""What a model must have been made for."""

BUCKETS: Final = 1 << 16

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]

_HAN_MOST, _MOST = 3, 5
_WORD, _PAIR = 101, 102  # salts; those of characters are their number
_STEP: Final = 0x9E3779B97F4A7C15
_LETTERS: Final = np.cumprod(np.full(32, 0xC2B2AE3D27D4EB4F, np.uint64))  # of a word, what each letter counts


class Bag(NamedTuple):
    """N-grams [m] of n texts: their buckets, and the text of each."""

    buckets: NDArray[np.int32]
    text: Ints


def bag_of(texts: Sequence[str]) -> Bag:
    """The n-grams of ``texts`` [n]; of each text in an order that no other text changes."""
    codes, kinds = code_points(texts)
    letters = codes.astype(np.uint64)
    text = np.cumsum(kinds == EDGE) - 1
    parts = [*_characters(letters, kinds, text), *_words(letters, kinds, text)]
    buckets, owners = zip(*parts, strict=True)
    return Bag(np.concatenate(buckets), np.concatenate(owners))


def _characters(letters: Hashes, kinds: Kinds, text: Ints) -> list[tuple[NDArray[np.int32], Ints]]:
    longest = _longest(kinds, text)
    single = (kinds == HAN) | (kinds == SIGN)
    found = [(_bucket(letters[single], 1), text[single])]
    rolled = letters
    for size in range(2, _MOST + 1):
        rolled = rolled[:-1] * np.uint64(_STEP) + letters[size - 1 :]
        fits = longest[: len(rolled)] >= size
        found.append((_bucket(rolled[fits], size), text[: len(rolled)][fits]))
    return found


def _longest(kinds: Kinds, text: Ints) -> Ints:
    """How many characters from each place on may be one n-gram: up to the text's edge, and few of them Chinese."""
    place = np.arange(len(kinds))
    edges = np.append((kinds == EDGE).nonzero()[0], 0)  # nothing begins at the last edge
    is_han = kinds == HAN
    next_han = np.append(is_han.nonzero()[0], len(kinds))[np.cumsum(is_han) - is_han]
    longest: Ints = np.minimum(edges[text + 1] + 1 - place, np.maximum(_HAN_MOST, next_han - place))
    return longest


def _words(letters: Hashes, kinds: Kinds, text: Ints) -> list[tuple[NDArray[np.int32], Ints]]:
    is_word = kinds == WORD
    begins = is_word.copy()
    begins[1:] &= ~is_word[:-1]
    first, inside = begins.nonzero()[0], is_word.nonzero()[0]
    if not len(first):
        return []
    rank = inside - first[np.cumsum(begins[inside]) - 1]
    powers = _LETTERS[np.minimum(rank, len(_LETTERS) - 1)]
    words = np.add.reduceat(letters[inside] * powers, begins[inside].nonzero()[0])
    owner = text[first]
    beside = owner[1:] == owner[:-1]
    pairs = (words[:-1] * np.uint64(_STEP) + words[1:])[beside]
    return [(_bucket(words, _WORD), owner), (_bucket(pairs, _PAIR), owner[1:][beside])]


def _bucket(hashes: Hashes, salt: int) -> NDArray[np.int32]:
    mixed = ((hashes ^ (hashes >> np.uint64(32))) + np.uint64(salt * _STEP % (1 << 64))) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(64 - 16)).astype(np.int32)
