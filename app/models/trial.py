"""Versions on trial beside the one that serves: a canary scores a share of the users, a shadow scores unseen.

While a version is new, the one that it replaced is a shadow too: on the same events the two can be compared, whatever
happens to the events meanwhile, and where the new one gives no number it stands in. A trial never costs an output:
where a canary raises or gives a number that is not finite, the serving version scores its users.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from app.models.side_states import SideStates

Scorer = TypeVar("Scorer")
Scores = TypeVar("Scores")
Flags = NDArray[np.bool_]


class NotFinite(ArithmeticError):
    """A version gave numbers that are none: says how many."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a version is not asked again; ``is_of_numbers``: it gave some that are not finite, and did not raise."""

    reason: str
    is_of_numbers: bool

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """What an exception says of the version that raised it."""
        is_of_numbers = isinstance(error, NotFinite)
        return cls(str(error) if is_of_numbers else f"{type(error).__name__}: {error}", is_of_numbers)


@dataclass(eq=False)
class Tried(Generic[Scorer]):
    """A version on trial; once it has failed it is not asked again."""

    model: Scorer
    failure: Failure | None = field(default=None, init=False)

    def attempt(self, call: Callable[[Scorer], Scores]) -> Scores | None:
        """What ``call`` makes of the model; None once that has failed."""
        if self.failure is not None:
            return None
        try:
            return call(self.model)
        except Exception as error:  # whatever a version on trial does, the events go on
            self.failure = Failure.of(error)
            return None


@dataclass(eq=False)
class Canary(Tried[Scorer]):
    """Scores the users whose hash lies within ``share`` (0 to 1), and publishes; a larger share keeps the users."""

    share: float
    salt: int = 0

    def takes(self, users: Sequence[str]) -> Flags:
        """Which of ``users`` [n] it scores: the same ones always, whatever batch they come in."""
        limit, salt = int(self.share * 2**64), self.salt
        hashes = (xxh3_64_intdigest(user.encode(), salt) for user in users)
        return np.fromiter((hash_ < limit for hash_ in hashes), np.bool_, len(users))


@dataclass(eq=False)
class Shadow(Tried[Scorer]):
    """Scores what the serving version scores, and publishes nothing.

    ``states`` holds its recurrent states where it cannot go on from those that the rows have. ``successor`` is how the
    version failed that took its place, if it did.
    """

    states: SideStates | None = None
    successor: Failure | None = field(default=None, init=False)


@dataclass(frozen=True)
class Trial(Generic[Scorer]):
    """What is on trial of one model; ``replaced`` is the version that served before, while its successor is new."""

    canary: Canary[Scorer] | None = None
    shadow: Shadow[Scorer] | None = None
    replaced: Shadow[Scorer] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the version that serves is alone."""
        return self.canary is None and self.shadow is None and self.replaced is None

    def others(self, canary: Flags | None, stand_in: Flags | None) -> "list[tuple[Flags, Scorer]]":
        """The versions beside the one that serves that made scores, with the rows they made them of."""
        found = []
        if self.canary is not None and canary is not None:
            found.append((canary, self.canary.model))
        if self.replaced is not None and stand_in is not None and stand_in.any():
            found.append((stand_in, self.replaced.model))
        return found


def canary_salt(name: str) -> int:
    """The salt of a model's canaries: so that those of different models take different users."""
    return xxh3_64_intdigest(name.encode())


def encoder_code(encoder: str | None, name: str, version: str) -> int:
    """What a row names the meaning of its recurrent state by: 32 bits, never 0, which no state has.

    A model that names no encoder shares its states with no other version.
    """
    return xxh3_64_intdigest((encoder or f"{name}/{version}").encode()) & 0xFFFF_FFFF or 1


def merged(mine: tuple[NDArray[Any], ...], theirs: tuple[NDArray[Any], ...], is_theirs: Flags) -> list[NDArray[Any]]:
    """Columns [n] of two disjoint groups of rows, which ``is_theirs`` [n] tells apart, put together."""
    columns = []
    for one, other in zip(mine, theirs, strict=True):
        column = np.empty((len(is_theirs), *one.shape[1:]), one.dtype)
        column[~is_theirs], column[is_theirs] = one, other
        columns.append(column)
    return columns
