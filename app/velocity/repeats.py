"""Orders that a producer sent twice: they count once."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.velocity.entities import Keys

REMEMBERED: Final = 16
"""Orders of a user among which a repeated one is found."""

_KEY_BYTES = 8


class RecentOrders:
    """The latest orders of users, by the keys of the users and of the orders' event ids."""

    def __init__(self) -> None:
        # The keys of a user's events as bytes, one after the other: a quarter of the memory of as many numbers. `in`
        # looks across the borders of keys too, where a match is as unlikely as two equal keys.
        self._events: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._events)

    def repeated(self, users: Keys, events: Keys) -> NDArray[np.bool_]:
        """Which orders [n], in their turns, are among the latest of their user; the others are from now on."""
        found = np.zeros(len(events), np.bool_)
        keys = _split(events.tobytes(), np.arange(len(events) + 1))
        for row, (user, event) in enumerate(zip(users.tolist(), keys, strict=True)):
            latest = self._events.get(user, b"")
            if event in latest:
                found[row] = True
            else:
                self._events[user] = latest[-_KEY_BYTES * (REMEMBERED - 1) :] + event
        return found

    def forget(self, users: Iterable[int]) -> None:
        """Forget the orders of ``users``."""
        for user in users:
            self._events.pop(user, None)

    def stored(self) -> dict[str, NDArray[Any]]:
        """All of it as columns: users [n], how many orders of each are remembered [n], and these one after the
        other."""
        return {
            "users": np.fromiter(self._events, np.uint64, len(self)),
            "lengths": np.fromiter(map(len, self._events.values()), np.int64, len(self)) // _KEY_BYTES,
            "events": np.frombuffer(b"".join(self._events.values()), np.uint64),
        }

    @classmethod
    def restored(cls, stored: Mapping[str, NDArray[Any]]) -> "RecentOrders":
        """What `stored` told."""
        recent = cls()
        parts = _split(stored["events"].tobytes(), np.cumsum([0, *stored["lengths"].tolist()]))
        recent._events = dict(zip(stored["users"].tolist(), parts, strict=True))
        return recent


def _split(keys: bytes, bounds: NDArray[np.int64]) -> Iterator[bytes]:
    """Keys one after the other, in parts from one of ``bounds`` to the next."""
    return (keys[start:stop] for start, stop in pairwise((_KEY_BYTES * bounds).tolist()))
