"""Columns that expressions are computed on: numbers, text and flags of n orders, with what is missing.

A constant is a column of one value that stands for all n. ``missing`` is None where nothing is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Values [n]; those that are missing are any number."""

    values: NDArray[np.float64]
    missing: Mask | None = None

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Numbers":
        """A column of ``values`` [n]; what is not finite is missing."""
        wide = np.asarray(values, np.float64)
        known = np.isfinite(wide)
        return cls(wide) if known.all() else cls(wide, ~known)


@dataclass(frozen=True, slots=True, eq=False)
class Flags:
    """Which are true [n]; a missing one is not."""

    true: Mask
    missing: Mask | None = None

    @property
    def false(self) -> Mask:
        """Which are known not to be true."""
        return ~self.true if self.missing is None else ~(self.true | self.missing)


@dataclass(frozen=True, eq=False)
class Texts:
    """Numbers [n] of ``distinct`` texts, -1 where missing."""

    codes: NDArray[np.int64]
    distinct: Sequence[str]

    @classmethod
    def of(cls, texts: Iterable[str | None]) -> "Texts":
        """A column of ``texts`` [n]; an empty one is as missing as None."""
        index: dict[str, int] = {}
        codes = [index.setdefault(text, len(index)) if text else -1 for text in texts]
        return cls(np.array(codes, np.int64), list(index))

    @cached_property
    def index(self) -> dict[str, int]:
        """The number of each distinct text."""
        return {text: code for code, text in enumerate(self.distinct)}

    @cached_property
    def missing(self) -> Mask | None:
        """Which have none."""
        missing = self.codes < 0
        return np.asarray(missing) if missing.any() else None

    def flags(self, test: Callable[[str], bool]) -> Flags:
        """Which pass ``test``, which is asked once for each distinct text."""
        return self.flags_of(np.array([test(text) for text in self.distinct], np.bool_))

    def flags_of(self, passes: Mask) -> Flags:
        """Which have a text that ``passes`` [distinct]."""
        return Flags(np.append(passes, False)[self.codes], self.missing)

    def mapped(self, change: Callable[[str], str]) -> "Texts":
        """The column with each text changed."""
        index: dict[str, int] = {}
        changed = [change(text) for text in self.distinct]
        codes = [index.setdefault(text, len(index)) if text else -1 for text in changed]
        return Texts(np.array([*codes, -1], np.int64)[self.codes], list(index))


Column = Numbers | Flags | Texts


def joined(*masks: Mask | None) -> Mask | None:
    """What is missing in any of the columns that ``masks`` are of."""
    found: Mask | None = None
    for mask in masks:
        if mask is not None:
            found = mask if found is None else found | mask
    return found
