"""What came after each click: the truth about the day after it and about the next click."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import NUMBERS
from app.training.rows import ClickRows
from schemas.events import CLICK_CODES
from schemas.outputs import NEXT_ACTIONS

DAY_MS = 86_400_000

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NEVER = np.iinfo(np.int64).max // 2


@dataclass(frozen=True, eq=False)
class Outlook:
    """Of n clicks at ``ts`` (ms) [n]: whether an order is completed ``within_day`` after the click [n]; the ``next``
    click's type in the session, as its place in `NEXT_ACTIONS` [n]; whether it has the ``same_category`` [n], which is
    told where both name one (``category_known`` [n])."""

    ts: Ints
    within_day: Flags
    next: Ints
    same_category: Flags
    category_known: Flags

    @property
    def ends(self) -> Flags:
        """Clicks [n] that are the last of their sessions."""
        return np.asarray(self.next == NEXT_ACTIONS.index("none"))

    def day_known_until(self, end: int) -> Flags:
        """Clicks [n] whose day is over at ``end``, in ms."""
        return self.ts <= end - DAY_MS


def outlook_of(rows: ClickRows) -> Outlook:
    """The truth about ``rows``, from what they themselves go on to tell."""
    goes_on = np.diff(rows.session, append=-1) == 0
    category = rows.features[:, NUMBERS + 1]
    then = np.append(category[1:], 0)
    return Outlook(
        ts=rows.ts,
        within_day=_next_purchase(rows) - rows.ts <= DAY_MS,
        next=np.where(goes_on, np.append(rows.type[1:], 0), NEXT_ACTIONS.index("none")),
        same_category=goes_on & (then == category) & (category > 0),
        category_known=goes_on & (then > 0) & (category > 0),
    )


def _next_purchase(rows: ClickRows) -> Ints:
    """Time in ms [n] of the user's next completed order after each click, far beyond all times if there is none."""
    n = len(rows.ts)
    places = np.where(rows.type == CLICK_CODES["order_completed"], np.arange(n), n)
    ahead = np.append(np.minimum.accumulate(places[::-1])[::-1], n)[1:]
    safe = np.minimum(ahead, n - 1)
    return np.where((ahead < n) & (rows.user[safe] == rows.user), rows.ts[safe], _NEVER)
