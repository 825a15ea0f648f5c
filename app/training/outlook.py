"""What came after each click: the truth about the day after it and about the next click."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.training.rows import ClickRows
from schemas.events import CLICK_CODES

DAY_MS = 86_400_000

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Outlook:
    """Of n clicks: whether an order is completed ``within_day`` after the click [n], where the recording goes on that
    long (``day_known`` [n]), and whether the click ``ends`` its session [n]."""

    within_day: Flags
    day_known: Flags
    ends: Flags


def outlook_of(rows: ClickRows) -> Outlook:
    """The truth about ``rows``, from what they themselves go on to tell."""
    following = next_purchase(rows.user, rows.ts, rows.type)
    return Outlook(
        within_day=following - rows.ts <= DAY_MS,
        day_known=rows.ts <= rows.ts.max(initial=0) - DAY_MS,
        ends=np.diff(rows.session, append=-1) != 0,
    )


def next_purchase(user: Ints, ts: Ints, types: Ints) -> Ints:
    """Time in ms [n] of the user's next completed order after each click, and far beyond all times if there is none.

    Args:
        user: numbers [n] that rise.
        ts: in ms [n].
        types: codes of `CLICK_TYPES` [n].
    """
    n = len(user)
    rows = np.arange(n)
    ahead = np.minimum.accumulate(np.where(types == CLICK_CODES["order_completed"], rows, n)[::-1])[::-1]
    ahead = np.append(ahead[1:], n)
    safe = np.minimum(ahead, n - 1)
    found = (ahead < n) & (user[safe] == user)
    return np.where(found, ts[safe], _NEVER // 2)
