"""The entries of a list, made ready to be looked up."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from xxhash import xxh3_64_intdigest

from app.rules.language.program import NamedList
from app.rules.times import instant
from schemas.ruleset import Entry

NEVER: Final = np.iinfo(np.int64).max
"""The ms until which counts what does not expire."""


def hashed(text: str) -> int:
    """The 64-bit hash that an entry is found by: among a million, a wrong match has a chance of 5 in 10**14."""
    return xxh3_64_intdigest(text.encode())


def named_list(entries: Sequence[str | Entry]) -> NamedList:
    """A list of ``entries``; of one that is there twice the later expiry counts.

    Raises:
        ValueError: an expiry is no time.
    """
    values = [entry.value if isinstance(entry, Entry) else entry for entry in entries]
    hashes = np.array([hashed(value) for value in values], np.uint64)
    until = np.array([_until(entry) for entry in entries], np.int64)
    order = np.lexsort((until, hashes))
    hashes, until = hashes[order], until[order]
    last = np.append(hashes[1:] != hashes[:-1], True)[: len(hashes)]
    return NamedList(hashes[last], until[last], hashed)


def _until(entry: str | Entry) -> int:
    return instant(entry.until) if isinstance(entry, Entry) and entry.until else NEVER
