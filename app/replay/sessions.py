"""Numbering a stream's sessions as it is made, vectorised over users."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

SESSION_GAP_MS = 30 * 60 * 1000
_NEVER = -(2**62)


@dataclass(frozen=True)
class Placed:
    """Where events stand: int64 each, one per event. `session` counts a user's sessions, `position` the
    events before it in its session, both from 0."""

    session: Integers
    position: Integers


class Sessions:
    """The open session of every user; memory is 24 bytes a user."""

    def __init__(self, users: int) -> None:
        self._last_ts = np.full(users, _NEVER, dtype=np.int64)
        self._session = np.full(users, -1, dtype=np.int64)
        self._position = np.full(users, -1, dtype=np.int64)

    def place(self, user: Integers, ts: Integers) -> Placed:
        """Number events that come next; `ts` (ms) must not fall. A gap over 30 minutes opens a session."""
        order = np.argsort(user, kind="stable")
        who, when = user[order], ts[order]
        index = np.arange(len(who))
        heads = np.r_[True, who[1:] != who[:-1]]
        head = np.maximum.accumulate(np.where(heads, index, 0))
        before = np.where(heads, self._last_ts[who], np.r_[0, when[:-1]])
        opens = when - before > SESSION_GAP_MS
        opened = np.cumsum(opens)
        session = self._session[who] + opened - (opened - opens)[head]
        opening = np.maximum.accumulate(np.where(opens, index, -1))
        position = np.where(opening >= head, index - opening, self._position[who] + 1 + index - head)
        # An assignment with repeated indices keeps the last value, which is the user's latest event.
        self._last_ts[who], self._session[who], self._position[who] = when, session, position
        back = np.argsort(order)
        return Placed(session[back], position[back])
