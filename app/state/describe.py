"""A stored row in words, for looking things up by hand."""

from typing import Any
from uuid import UUID

import numpy as np

from app.state.columns import Lifetimes, UserTable
from app.state.rows import HISTORY_FIELDS, MONEY_SCALE, SESSION_FIELDS
from app.state.standing import NO_DECISION, Standing
from schemas.events import CLICK_TYPES
from schemas.outputs import INTENTS

_UNNEEDED = Lifetimes(0, 0, 0)  # they tell when rows go, not what they say
_INTERNAL = {"open", "path_length", "item_bits", "category_bits", "talk"}


def describe(key: bytes, value: bytes) -> dict[str, Any]:
    """The row of a user: the session if one is open, the history, the orders of the last 30 days, and
    what decisions left behind. Times are in ms.

    Raises:
        CorruptRow: the value does not have this version's layout.
    """
    table = UserTable(_UNNEEDED)
    table.load(0, [key], [value])
    slot = int(np.flatnonzero(table.partitions == 0)[0])
    row = {name: table.rows[name][slot].tolist() for name in table.rows.dtype.names or ()}
    log = table.logs.get(slot)
    return {
        "user": table.users[slot],
        "session": {"session_id": table.session_ids[slot]} | _session(row) if row["open"] else None,
        "history": {name: row[name] for name, *_ in HISTORY_FIELDS},
        "orders": [
            {"ts": ts, "count": count, "value": amount / MONEY_SCALE}
            for ts, count, amount in (zip(log.times, log.counts, log.amounts, strict=True) if log else ())
        ],
        "frozen_at": row["frozen_at"] or None,
        "decisions": _standing(table.standing(slot)),
        "last_event_id": table.last_event_ids[slot],
        "remembered_event_ids": min(row["recent_count"], len(row["recent"])),
    }


def _standing(standing: Standing) -> dict[str, Any]:
    known = {"latest": standing.latest, "freeze": standing.freeze}
    alerts = [{"since": each.first, "until": each.until, "count": each.count} for each in standing.groups]
    return {name: str(UUID(bytes=id_)) for name, id_ in known.items() if id_ != NO_DECISION} | {"alerts": alerts}


def _session(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name, *_ in SESSION_FIELDS if name not in _INTERNAL} | {
        "path": [INTENTS[code] for code in row["path"][: row["path_length"]]],
        "counts": {name: count for name, count in zip(CLICK_TYPES, row["counts"], strict=True) if count},
        "cart": row["cart"] / MONEY_SCALE,
    }
