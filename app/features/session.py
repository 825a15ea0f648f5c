"""What a session and a history are at each click: running columns over a chunk sorted by user.

Nothing here loops over events. Sessions are runs of rows within a user's run, and every count is an integer sum
within such a run, so a click sees the same numbers in a chunk of one and in a chunk of thousands.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.features.scan import (
    Flags,
    Ints,
    first_rows,
    group_index,
    group_starts,
    previous,
    running_max,
    running_sum,
)
from app.state.rows import BLOCKS, ITEM_WORDS, Rows
from schemas.events import CLICK_TYPES

ADDED = CLICK_TYPES.index("product_added")
REMOVED = CLICK_TYPES.index("product_removed")
COMPLETED = CLICK_TYPES.index("order_completed")
_TYPE_CODES = np.arange(len(CLICK_TYPES))[:, None]
_COUNTED = 1 + len(CLICK_TYPES)
_DISTINCT = 3
_HISTORY = 5
_WORDS = ITEM_WORDS + 1
_SET_BITS = np.array([[64 * ITEM_WORDS], [64]], np.uint64)  # of the sets of products and of categories
_FIRST_BIT = np.array([[0], [64 * ITEM_WORDS]])


@dataclass(frozen=True)
class SortedClicks:
    """Clicks [n] sorted by user, then by processing order.

    ``user`` indexes the chunk's rows; ``hashes`` [2, n] are of product and category, 0 where absent; ``amount`` is
    price times quantity in 1e-4 of the major unit.
    """

    user: Ints
    ts: Ints
    type: Ints
    hashes: NDArray[np.uint64]
    price: NDArray[np.float64]
    amount: Ints


@dataclass(frozen=True)
class Sessions:
    """Running columns [n] after each click, and the runs of rows that make the chunk's users and sessions.

    Columns that lie side by side in a row are one array here too, in the order of ``BLOCKS``.
    """

    user_starts: Ints
    users: Ints  # row of each run's user
    user: Ints  # number of the run of each click
    session: Ints
    session_starts: Ints
    session_user: Ints
    continued: Flags  # per session: whether it was open before the chunk
    new: Flags
    gap_ms: Ints  # since the user's click before, 0 at the first
    started_at: Ints
    latest: Ints  # latest click time of the session so far
    counted: Ints  # [1 + types, n]: clicks, and clicks by type
    cart: Ints
    distinct: Ints  # [3, n]: products, clicks on one seen before, categories
    repeated: Flags  # the click's product was seen before in this session
    bits: "Bits"
    new_bits: Flags  # [2, n]: the first with its bit of product or category in this session
    history: Ints  # [5, n]: sessions, clicks, adds, purchases, abandoned carts
    last_purchase: Ints
    last_add: Ints

    @property
    def events(self) -> Ints:
        """Clicks of the session so far."""
        events: Ints = self.counted[0]
        return events

    @property
    def counts(self) -> Ints:
        """Clicks of the session so far by type [types, n]."""
        counts: Ints = self.counted[1:]
        return counts


@dataclass(frozen=True)
class Bits:
    """Where products and categories stand in a row's sets [2, n]: the place, its word and the bit in that."""

    place: Ints
    word: Ints
    bit: NDArray[np.uint64]

    @classmethod
    def of(cls, hashes: NDArray[np.uint64]) -> "Bits":
        """The places of ``hashes`` [2, n]."""
        place = (hashes % _SET_BITS).astype(np.int64) + _FIRST_BIT
        return cls(place, place >> 6, np.uint64(1) << (place & 63).astype(np.uint64))

    def set(self, chosen: Flags, owner: Ints, words: NDArray[np.uint64]) -> None:
        """Set the ``chosen`` ones [2, n] in ``words`` [owners, words], in place."""
        kind, click = chosen.nonzero()
        np.bitwise_or.at(words, (owner[click], self.word[kind, click]), self.bit[kind, click])


def scan_sessions(rows: Rows, clicks: SortedClicks, gap_ms: int) -> Sessions:
    """Running session and history columns of ``clicks``, continuing ``rows`` [users], which stay unchanged."""
    n = len(clicks.user)
    user_starts = group_starts(clicks.user)
    users = clicks.user[user_starts]
    begins = first_rows(user_starts, n)
    user = group_index(begins)
    is_open = rows["open"][users] == 1
    was = rows.view(BLOCKS)
    types = clicks.type == _TYPE_CODES
    latest, last_purchase, last_add = running_max(
        np.array((clicks.ts, clicks.ts * types[COMPLETED], clicks.ts * types[ADDED])),
        user_starts,
        user,
        np.array([rows[name][users] for name in ("last_click", "last_purchase", "last_add")]),
    )
    new, before = _session_starts(clicks, user_starts, user, latest, rows["last_click"][users], is_open, gap_ms)
    begins |= new
    session_starts = begins.nonzero()[0]
    session = group_index(begins)
    session_user = clicks.user[session_starts]
    continued = ~new[session_starts]
    going_on = continued.nonzero()[0]
    goers = session_user[going_on]
    bits = Bits.of(clicks.hashes)
    seen = np.zeros((len(continued), _WORDS), np.uint64)
    seen[going_on] = was["seen"][goers]
    new_bits = _new_bits(clicks.hashes, bits, session, seen)
    repeated = (clicks.hashes[0] != 0) & ~new_bits[0]
    moves = np.empty((_COUNTED + _DISTINCT, n), np.int64)
    moves[0] = 1
    moves[1:_COUNTED] = types
    moves[_COUNTED], moves[_COUNTED + 1], moves[_COUNTED + 2] = new_bits[0], repeated, new_bits[1]
    base = np.zeros((len(moves), len(continued)), np.int64)
    base[:_COUNTED, going_on] = was["counted"][goers].T
    base[_COUNTED:, going_on] = was["distinct"][goers].T
    sums = running_sum(moves, session_starts, session, base)
    counted = sums[:_COUNTED]
    moved = np.empty((_HISTORY, n), np.int64)
    moved[0], moved[1], moved[2], moved[3] = new, 1, types[ADDED], types[COMPLETED]
    moved[4] = new & previous(_left_cart(counted), user_starts, is_open & _left_cart(was["counted"][users].T))
    return Sessions(
        user_starts=user_starts,
        users=users,
        user=user,
        session=session,
        session_starts=session_starts,
        session_user=session_user,
        continued=continued,
        new=new,
        gap_ms=np.where(before > 0, np.maximum(clicks.ts - before, 0), 0),
        started_at=np.where(continued, rows["started_at"][session_user], clicks.ts[session_starts])[session],
        latest=running_max(
            clicks.ts, session_starts, session, np.where(continued, rows["last_click"][session_user], 0)
        ),
        counted=counted,
        cart=_cart(clicks, types, session_starts, session, np.where(continued, rows["cart"][session_user], 0)),
        distinct=sums[_COUNTED:],
        repeated=repeated,
        bits=bits,
        new_bits=new_bits,
        history=running_sum(moved, user_starts, user, was["history"][users].T.astype(np.int64)),
        last_purchase=last_purchase,
        last_add=last_add,
    )


def _session_starts(
    clicks: SortedClicks, starts: Ints, user: Ints, latest: Ints, base: Ints, is_open: Flags, gap_ms: int
) -> tuple[Flags, Ints]:
    """Which clicks start a session, and the latest click time before each (0 if none).

    Args:
        clicks: of the chunk.
        starts: first click of each user [users].
        user: number of each click's user [n].
        latest: the user's latest click time up to each [n].
        base: that before the chunk [users].
        is_open: whether the user's session was open then [users].
        gap_ms: of sessions.
    """
    before = previous(latest, starts, base)
    since = clicks.ts - before
    new = since > gap_ms
    new[starts] |= ~is_open
    back = since < -gap_ms
    for misdated in np.unique(user[back]).tolist() if back.any() else ():
        run = slice(starts[misdated], starts[misdated + 1] if misdated + 1 < len(starts) else len(user))
        _misdated_starts(clicks.ts[run], int(base[misdated]), bool(is_open[misdated]), gap_ms, new[run], before[run])
    return new, before


def _misdated_starts(ts: Ints, latest: int, is_open: bool, gap_ms: int, new: Flags, before: Ints) -> None:
    """A jump back by more than a gap ends the session too: one click dated ahead must not hold its user there."""
    for index, time in enumerate(ts.tolist()):
        before[index] = latest
        new[index] = not is_open or abs(time - latest) > gap_ms
        latest = time if new[index] else max(latest, time)
        is_open = True


def _new_bits(hashes: NDArray[np.uint64], bits: Bits, session: Ints, seen: NDArray[np.uint64]) -> Flags:
    """Which clicks set a bit [2, n] of their session's sets ([sessions, words] of ``seen``) for the first time."""
    unseen = (seen[session, bits.word] & bits.bit) == 0
    kind, click = (unseen & (hashes != 0)).nonzero()
    place = session[click] * (64 * _WORDS) + bits.place[kind, click]
    order = place.argsort(kind="stable")
    first = order[group_starts(place[order])]
    new = np.zeros(hashes.shape, np.bool_)
    new[kind[first], click[first]] = True
    return new


def _cart(clicks: SortedClicks, types: Flags, session_starts: Ints, session: Ints, base: Ints) -> Ints:
    """Value in the cart after each click: added minus removed since the session's latest completed order."""
    completed = types[COMPLETED]
    emptied = first_rows(session_starts, len(session)) | completed
    starts = emptied.nonzero()[0]
    carried = np.where(completed[starts], 0, base[session[starts]])
    moves = clicks.amount * (types[ADDED].astype(np.int64) - types[REMOVED])
    return running_sum(moves, starts, group_index(emptied), carried)


def _left_cart(counted: NDArray[np.integer[Any]]) -> Flags:
    """Whether sessions of such counts [1 + types, n] have a cart and no purchase."""
    return np.asarray((counted[1 + ADDED] > 0) & (counted[1 + COMPLETED] == 0))
