"""What each click of a finished session turned out to be about: the truth that the intent model learns.

A label looks ahead, features never do. The first line that holds counts, from the click on, the click included:

- `purchase`: an order is completed in the session;
- `return`: an order is refunded or cancelled in the session;
- `support`: a message goes to customer service in the session;
- `abandon`: the session ends with something in the cart;
- `search` or `compare`, whichever act comes first among this click and the next four: a search; or a product that was
  seen before in the session with another one in between, or the third product or later at two or more per category;
- `browse`: none of these.

`docs/models/intent.md` gives the reasons.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import CLICK_FEATURES
from app.features.scan import group_starts
from schemas.events import CLICK_CODES
from schemas.outputs import INTENTS

HORIZON = 5
"""Clicks, the labelled one included, within which searching and comparing count."""

_COLUMN = {feature.name: index for index, feature in enumerate(CLICK_FEATURES)}
_INTENT = {name: code for code, name in enumerate(INTENTS)}

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ClickLabels:
    """Of n clicks: the ``intent`` as its place in `INTENTS` [n], whether a ``purchase`` follows in the session, after
    the click [n], and whether no order follows and the session ``abandons`` a cart [n]."""

    intent: Ints
    purchase: Flags
    abandons: Flags


def click_labels(session: Ints, types: Ints, features: NDArray[np.floating[Any]]) -> ClickLabels:
    """Labels of clicks [n] that are sorted by user and order.

    Args:
        session: a number per session [n], equal within it and different from the next one's.
        types: the clicks' codes of `CLICK_TYPES` [n].
        features: their row of `CLICK_FEATURES` [n, F].
    """
    acts = _Acts(session, types)
    completed = acts.next_of("order_completed")
    returned = acts.next_of("order_refunded", "order_cancelled")
    messaged = acts.next_of("message_sent")
    searched = acts.within(acts.next_of("products_searched"), HORIZON)
    compared = acts.within(acts.next(_compares(features)), HORIZON)
    active = np.minimum(searched, compared)
    never = len(types)
    intent = np.select(
        [
            completed < never,
            returned < never,
            messaged < never,
            acts.leaves_cart(),
            (active < never) & (active == searched),
            active < never,
        ],
        [_INTENT[name] for name in ("purchase", "return", "support", "abandon", "search", "compare")],
        _INTENT["browse"],
    )
    purchase = acts.follows(completed)
    return ClickLabels(intent.astype(np.int64), purchase, acts.leaves_cart() & ~purchase)


def _compares(features: NDArray[np.floating[Any]]) -> Flags:
    """Clicks that set products against each other, by what the session has shown so far."""
    items = features[:, _COLUMN["distinct_items"]]
    categories = features[:, _COLUMN["distinct_categories"]]
    back_again = (features[:, _COLUMN["is_repeated_item"]] > 0) & (items >= 2)
    narrow = (items >= 3) & (categories >= 1) & (items >= 2 * categories)
    on_product = features[:, _COLUMN["is_product_viewed"]] + features[:, _COLUMN["is_product_clicked"]] > 0
    flags: Flags = on_product & (back_again | narrow)
    return flags


class _Acts:
    """Where acts are, within sessions that are runs of rows. A row number of n means never."""

    def __init__(self, session: Ints, types: Ints) -> None:
        self._types = types
        self._rows = np.arange(len(types))
        starts = group_starts(session)
        lengths = np.diff(starts, append=len(types))
        self._start = np.repeat(starts, lengths)
        self._end = np.repeat(starts + lengths - 1, lengths)

    def next_of(self, *names: str) -> Ints:
        """Row of the next click of these types, from each row on, in its session."""
        return self.next(np.isin(self._types, [CLICK_CODES[name] for name in names]))

    def next(self, flags: Flags) -> Ints:
        """Row of the next flagged click, from each row on, in its session."""
        never = len(flags)
        ahead = np.minimum.accumulate(np.where(flags, self._rows, never)[::-1])[::-1]
        return np.where(ahead <= self._end, ahead, never)

    def within(self, ahead: Ints, clicks: int) -> Ints:
        """``ahead`` where it is among the next ``clicks`` clicks, this one included."""
        return np.where(ahead < self._rows + clicks, ahead, len(ahead))

    def follows(self, ahead: Ints) -> Flags:
        """Whether the act comes after each row, in its session."""
        later = np.append(ahead[1:], len(ahead))
        return (self._rows < self._end) & (later < len(ahead))

    def leaves_cart(self) -> Flags:
        """Whether more was added than removed from the latest completed order before each row to the session's end."""
        moves = (self._types == CLICK_CODES["product_added"]).astype(np.int64)
        moves -= self._types == CLICK_CODES["product_removed"]
        total = np.concatenate(([0], np.cumsum(moves)))
        completed = np.where(self._types == CLICK_CODES["order_completed"], self._rows + 1, 0)
        since = np.maximum(np.maximum.accumulate(completed), self._start)
        return total[self._end + 1] > total[since]
