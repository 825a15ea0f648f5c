"""What a session and a history are at each click: running columns over a chunk sorted by user.

Nothing here loops over events. Sessions are runs of rows within a user's run, and every count is an integer sum
within such a run, so a click sees the same numbers in a chunk of one and in a chunk of thousands.
"""

from dataclasses import dataclass

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
from app.state.rows import Rows
from schemas.events import CLICK_TYPES

ADDED = CLICK_TYPES.index("product_added")
REMOVED = CLICK_TYPES.index("product_removed")
COMPLETED = CLICK_TYPES.index("order_completed")
_TYPE_CODES = np.arange(len(CLICK_TYPES))[:, None]
_COUNTED = ("events", "items", "repeats", "categories")  # of the session, beside the clicks by type
_HISTORY = ("sessions", "clicks", "adds", "purchases", "abandoned_carts")


@dataclass(frozen=True)
class SortedClicks:
    """Clicks [n] sorted by user, then by processing order.

    ``user`` indexes the chunk's rows; ``item`` and ``category`` are hashes, 0 where absent; ``amount`` is price times
    quantity in 1e-4 of the major unit.
    """

    user: Ints
    ts: Ints
    type: Ints
    item: NDArray[np.uint64]
    category: NDArray[np.uint64]
    price: NDArray[np.float64]
    amount: Ints


@dataclass(frozen=True)
class Sessions:
    """Running columns [n] after each click, and the runs of rows that make the chunk's users and sessions."""

    user_starts: Ints
    user: Ints  # number of the run of each click
    session: Ints
    session_starts: Ints
    session_user: Ints
    continued: Flags  # per session: whether it was open before the chunk
    new: Flags
    gap_ms: Ints  # since the user's click before, 0 at the first
    started_at: Ints
    latest: Ints  # latest click time of the session so far
    events: Ints
    counts: Ints  # [types, n]
    cart: Ints
    items: Ints
    repeats: Ints
    categories: Ints
    repeated: Flags  # the click's product was seen before in this session
    new_items: Flags
    new_categories: Flags
    sessions: Ints
    clicks: Ints
    adds: Ints
    purchases: Ints
    abandoned_carts: Ints
    last_purchase: Ints


def scan_sessions(rows: Rows, clicks: SortedClicks, gap_ms: int) -> Sessions:
    """Running session and history columns of ``clicks``, continuing ``rows`` [users], which stay unchanged."""
    user_starts = group_starts(clicks.user)
    users = clicks.user[user_starts]
    user = group_index(first_rows(user_starts, len(clicks.user)))
    new, before = _session_starts(rows, clicks, user_starts, user, gap_ms)
    begins = first_rows(user_starts, len(new)) | new
    session_starts = begins.nonzero()[0]
    session = group_index(begins)
    session_user = clicks.user[session_starts]
    continued = ~new[session_starts]
    open_rows = _open_rows(rows, session_user, continued)
    new_items = _new_bits(clicks.item, session, open_rows["item_bits"])
    new_categories = _new_bits(clicks.category, session, open_rows["category_bits"][:, None])
    repeated = (clicks.item != 0) & ~new_items
    moves = np.empty((len(_COUNTED) + len(CLICK_TYPES), len(new)), np.int64)
    moves[: len(_COUNTED)] = (np.ones(len(new), np.bool_), new_items, repeated, new_categories)
    types = np.equal(clicks.type, _TYPE_CODES, out=moves[len(_COUNTED) :], casting="unsafe")
    base = np.concatenate([*(open_rows[name][None] for name in _COUNTED), open_rows["counts"].T])
    sums = running_sum(moves, session_starts, session, base.astype(np.int64))
    events, items, repeats, categories = sums[: len(_COUNTED)]
    counts = sums[len(_COUNTED) :]
    abandoned = _abandoned(rows, clicks, new, counts, user_starts)
    history = np.stack([new, moves[0], types[ADDED], types[COMPLETED], abandoned], dtype=np.int64, casting="unsafe")
    known = np.stack([rows[name][users] for name in _HISTORY]).astype(np.int64)
    user_sessions, user_clicks, adds, purchases, abandoned_carts = running_sum(history, user_starts, user, known)
    return Sessions(
        user_starts=user_starts,
        user=user,
        session=session,
        session_starts=session_starts,
        session_user=session_user,
        continued=continued,
        new=new,
        gap_ms=np.where(before > 0, np.maximum(clicks.ts - before, 0), 0),
        started_at=np.where(continued, open_rows["started_at"], clicks.ts[session_starts])[session],
        latest=running_max(clicks.ts, session_starts, session, open_rows["last_click"]),
        events=events,
        counts=counts,
        cart=_cart(clicks, session_starts, session, open_rows["cart"]),
        items=items,
        repeats=repeats,
        categories=categories,
        repeated=repeated,
        new_items=new_items,
        new_categories=new_categories,
        sessions=user_sessions,
        clicks=user_clicks,
        adds=adds,
        purchases=purchases,
        abandoned_carts=abandoned_carts,
        last_purchase=running_max(clicks.ts * types[COMPLETED], user_starts, user, rows["last_purchase"][users]),
    )


def _open_rows(rows: Rows, session_user: Ints, continued: Flags) -> Rows:
    """The row each of the chunk's sessions goes on from: the user's, or an empty one."""
    opened = rows[session_user]
    opened[~continued] = np.zeros((), rows.dtype)
    return opened


def _session_starts(rows: Rows, clicks: SortedClicks, starts: Ints, user: Ints, gap_ms: int) -> tuple[Flags, Ints]:
    """Which clicks start a session, and the latest click time before each (0 if none)."""
    users = clicks.user[starts]
    base = rows["last_click"][users]
    before = previous(running_max(clicks.ts, starts, user, base), starts, base)
    new = clicks.ts - before > gap_ms
    new[starts] |= rows["open"][users] == 0
    back = clicks.ts < before - gap_ms
    for misdated in np.unique(user[back]) if back.any() else ():
        end = starts[misdated + 1] if misdated + 1 < len(starts) else len(user)
        run = slice(starts[misdated], end)
        is_open = bool(rows["open"][users[misdated]])
        _misdated_starts(clicks.ts[run], int(base[misdated]), is_open, gap_ms, new[run], before[run])
    return new, before


def _misdated_starts(ts: Ints, latest: int, is_open: bool, gap_ms: int, new: Flags, before: Ints) -> None:
    """A jump back by more than a gap ends the session too: one click dated ahead must not hold its user there."""
    for index, time in enumerate(ts.tolist()):
        before[index] = latest
        new[index] = not is_open or abs(time - latest) > gap_ms
        latest = time if new[index] else max(latest, time)
        is_open = True


def _new_bits(hashes: NDArray[np.uint64], session: Ints, seen: NDArray[np.uint64]) -> Flags:
    """Which clicks set a bit of their session's set ([sessions, words] of ``seen``) for the first time."""
    bit = (hashes % np.uint64(64 * seen.shape[1])).astype(np.int64)
    present = hashes != 0
    known = (seen[session, bit >> 6] >> (bit & 63).astype(np.uint64)) & np.uint64(1)
    candidate = (present & (known == 0)).nonzero()[0]
    new = np.zeros(len(hashes), np.bool_)
    if len(candidate):
        bits = session[candidate] * (64 * seen.shape[1]) + bit[candidate]
        order = bits.argsort(kind="stable")
        new[candidate[order[group_starts(bits[order])]]] = True
    return new


def set_bits(hashes: NDArray[np.uint64], owner: Ints, bits: NDArray[np.uint64]) -> None:
    """Set in ``bits`` [owners, words] the bit of each hash, in place."""
    bit = (hashes % np.uint64(64 * bits.shape[1])).astype(np.int64)
    np.bitwise_or.at(bits, (owner, bit >> 6), np.uint64(1) << (bit & 63).astype(np.uint64))


def _cart(clicks: SortedClicks, session_starts: Ints, session: Ints, base: Ints) -> Ints:
    """Value in the cart after each click: added minus removed since the session's latest completed order."""
    sign = (clicks.type == ADDED).astype(np.int64) - (clicks.type == REMOVED)
    completed = clicks.type == COMPLETED
    emptied = first_rows(session_starts, len(session)) | completed
    starts = emptied.nonzero()[0]
    carried = np.where(completed[starts], 0, base[session[starts]])
    moves = np.where(completed, 0, sign * clicks.amount)
    return running_sum(moves, starts, group_index(emptied), carried)


def _abandoned(rows: Rows, clicks: SortedClicks, new: Flags, counts: Ints, starts: Ints) -> Ints:
    """1 at each session's first click if the session before it, still open then, left a cart and no purchase."""
    left = (counts[ADDED] > 0) & (counts[COMPLETED] == 0)
    base = rows[clicks.user[starts]]
    base_left = (base["open"] == 1) & (base["counts"][:, ADDED] > 0) & (base["counts"][:, COMPLETED] == 0)
    return np.asarray(new & previous(left, starts, base_left)).astype(np.int64)
