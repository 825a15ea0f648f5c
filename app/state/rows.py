"""The row of a user: two lifetimes in one fixed layout.

The session's fields start over with every session; the history's fields and the recurrent state last until the
user was quiet for the history's time to live. A row is plain bytes, so a changed row is its own changelog record.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import CLICK_TYPES
from schemas.topics import INPUTS

LAYOUT = 8
"""Version of the stored row; raise it with every change of `ROW` or of what a field means. `{` (123) is taken."""

HIDDEN_UNITS = 32
RECENT_EVENTS = 16
PATH_LENGTH = 16
TALK = 4
ITEM_WORDS = 4
MONEY_SCALE = 10_000

LAYOUT_FIELDS: list[Any] = [("layout", "u1")]  # of a stored row; what it is in memory means nothing
SESSION_FIELDS: list[Any] = [
    ("open", "u1"),  # 1 while a session is open
    ("path_length", "u1"),  # intents in `path`
    ("path", "u1", (PATH_LENGTH,)),  # codes of the intents the session went through, changes only
    ("talk", "u1", (TALK,)),  # what the session's messages said, see `app.scoring.conversations`
    ("started_at", "i8"),  # ms
    ("events", "u4"),
    ("counts", "u4", (len(CLICK_TYPES),)),  # clicks by type
    ("cart", "i8"),  # value in the cart, 1e-4 of the major unit
    ("items", "u4"),  # distinct products, by linear counting on `item_bits`
    ("repeats", "u4"),  # events on a product seen before in this session
    ("categories", "u4"),  # distinct categories, by linear counting on `category_bits`
    ("item_bits", "u8", (ITEM_WORDS,)),
    ("category_bits", "u8"),
]
HISTORY_FIELDS: list[Any] = [
    ("first_seen", "i8"),  # ms
    ("last_seen", "i8"),  # ms, latest event of any kind
    ("last_click", "i8"),  # ms, latest click of the latest session
    ("accepted", "i8"),  # ms, latest time that event time took for true at the user's latest event
    ("sessions", "u4"),
    ("clicks", "u4"),
    ("adds", "u4"),
    ("purchases", "u4"),
    ("abandoned_carts", "u4"),  # sessions that ended with a cart and no purchase
    ("last_purchase", "i8"),  # ms, 0 if none
    ("last_add", "i8"),  # ms of the latest addition to the cart, 0 if none
    ("known_frauds", "u4"),
    ("last_fraud", "i8"),  # ms at which the latest fraud became known, 0 if none
    ("encoder", "u4"),  # of the recurrent state, see `app.models.trial.encoder_code`; 0 while there is none
    ("hidden", "f4", (HIDDEN_UNITS,)),
]
MEMORY_FIELDS: list[Any] = [
    ("frozen_at", "i8"),  # ms, since when the account is frozen; 0 if it is not
    ("recent_count", "u4"),
    ("recent", "u8", (RECENT_EVENTS,)),  # hashes of the latest event ids, a ring
    ("applied", "i8", (len(INPUTS),)),  # by input topic: the row includes every record of its user below this offset
]
ROW = np.dtype(LAYOUT_FIELDS + SESSION_FIELDS + HISTORY_FIELDS + MEMORY_FIELDS)

Rows = NDArray[Any]  # [n] of ROW


def _blocks(**names: tuple[str, ...]) -> np.dtype[Any]:
    """Fields of ``ROW`` that lie side by side and have one type, each group of them as one field."""
    assert ROW.fields is not None
    formats, offsets = [], []
    for group in names.values():
        types = [ROW.fields[name][0] for name in group]
        starts = [ROW.fields[name][1] for name in group]
        ends = [start + type_.itemsize for start, type_ in zip(starts, types, strict=True)]
        if starts[1:] != ends[:-1] or len({type_.base for type_ in types}) > 1:
            raise TypeError(f"{group} do not lie side by side in a row")
        formats.append((types[0].base, ((ends[-1] - starts[0]) // types[0].base.itemsize,)))
        offsets.append(starts[0])
    return np.dtype({"names": list(names), "formats": formats, "offsets": offsets, "itemsize": ROW.itemsize})


BLOCKS = _blocks(
    counted=("events", "counts"),
    distinct=("items", "repeats", "categories"),
    seen=("item_bits", "category_bits"),
    history=("sessions", "clicks", "adds", "purchases", "abandoned_carts"),
)
"""The same bytes as ``ROW``: ``rows.view(BLOCKS)`` reads and writes a whole group of fields at once."""


def clear_sessions(rows: Rows) -> None:
    """Start the session's fields of ``rows`` over, in place."""
    for name, *_ in SESSION_FIELDS:
        rows[name] = 0


def begun_anew(rows: Rows, first_seen: NDArray[np.int64]) -> Rows:
    """``rows`` [n] that start over at ``first_seen`` [n], ms, as if they had been deleted before. A freeze stays, and
    of the events' memory the latest ids, which are those since then already."""
    fresh = np.zeros(len(rows), ROW)
    for name in ("frozen_at", "recent_count", "recent"):
        fresh[name] = rows[name]
    fresh["first_seen"] = first_seen
    return fresh
