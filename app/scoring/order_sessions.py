"""The session that each order belongs to, as the click before it left it."""

import numpy as np

from app.features.orders import OrderSession
from app.features.scan import Flags, Ints
from app.scoring.clicks import Seen
from app.state.rows import Rows
from schemas.events import CLICK_CODES

_FAILED_LOGIN = CLICK_CODES["login_failed"]
_CHANGES = [CLICK_CODES["password_changed"], CLICK_CODES["address_changed"]]


def order_sessions(
    rows: Rows, seen: Seen, owner: Ints, clicks_before: Ints, due: Ints, gap_ms: int
) -> list[OrderSession]:
    """The sessions of orders [m].

    Args:
        rows: of the users, as they were before the batch.
        seen: the batch's clicks.
        owner: row of each order's user [m].
        clicks_before: how many of the batch's clicks, which are sorted as the orders are, lie before each order [m].
        due: the time by which each order finds its session over [m], ms.
        gap_ms: of sessions.
    """
    own = rows[owner]
    columns = {
        "latest": own["last_click"],
        "events": own["events"].astype(np.int64),
        "started_at": own["started_at"],
        "cart": own["cart"],
        "failed_logins": own["counts"][:, _FAILED_LOGIN].astype(np.int64),
        "account_changes": own["counts"][:, _CHANGES].sum(axis=1, dtype=np.int64),
    }
    is_open = own["open"] == 1
    if len(seen.clicks.ts):
        is_open |= _take_from_batch(columns, seen, owner, clicks_before - 1)
    over = ~is_open | (np.abs(due - columns.pop("latest")) > gap_ms)
    for column in columns.values():
        column[over] = 0
    return [OrderSession(*values) for values in zip(*(column.tolist() for column in columns.values()), strict=True)]


def _take_from_batch(columns: dict[str, Ints], seen: Seen, owner: Ints, click: Ints) -> Flags:
    """Replace the columns of orders that have a click of their user before them in the batch; tells which."""
    sessions = seen.sessions
    inside: Flags = (click >= 0) & (seen.clicks.user[click] == owner)
    at = click[inside]
    for name in ("latest", "events", "started_at", "cart"):
        columns[name][inside] = getattr(sessions, name)[at]
    columns["failed_logins"][inside] = sessions.counts[_FAILED_LOGIN, at]
    columns["account_changes"][inside] = sessions.counts[_CHANGES][:, at].sum(axis=0)
    return inside
