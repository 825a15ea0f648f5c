"""Recurrent states beside the rows, for a version that cannot use those of the rows: in memory only, and bounded."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

Floats = NDArray[np.float32]

CAPACITY = 1 << 17


class SideStates:
    """States [capacity, units] of as many users, each at the place that its hash names.

    Of two users with one place the later stays: the other begins anew, as a user does that was never seen. What is
    here is of a trial and is never published, so nothing is stored: a restart begins anew.

    Args:
        units: of a state.
        capacity: users at most, a power of two.
    """

    def __init__(self, units: int, capacity: int = CAPACITY) -> None:
        self._states = np.zeros((capacity, units), np.float32)
        self._owners = np.zeros(capacity, np.uint64)
        self._mask = np.uint64(capacity - 1)

    def get(self, users: Sequence[str]) -> Floats:
        """The states of ``users`` [n, units]; zeros where there is none."""
        hashes, places = self._places(users)
        states: Floats = self._states[places]
        states[self._owners[places] != hashes] = 0
        return states

    def put(self, users: Sequence[str], states: Floats) -> None:
        """Keep the ``states`` [n, units] of ``users`` [n]."""
        hashes, places = self._places(users)
        self._states[places] = states
        self._owners[places] = hashes

    def _places(self, users: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        hashes = np.fromiter((xxh3_64_intdigest(user.encode()) for user in users), np.uint64, len(users))
        return hashes, (hashes & self._mask).astype(np.int64)
