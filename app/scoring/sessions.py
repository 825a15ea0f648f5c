"""Sessions that are over: because their user began another, or because event time has passed them by."""

from collections.abc import Sequence

import numpy as np

from app.effects import ClosedSession, Effects
from app.features.scan import Ints
from app.features.session import ADDED, COMPLETED
from app.scoring.conversations import conversation
from app.state.columns import UserTable
from app.state.rows import Rows, clear_sessions
from app.state.state import State


def closed_rows(table: UserTable, slots: Ints, rows: Rows) -> list[ClosedSession]:
    """The sessions open in ``rows`` [n], which belong to ``slots`` [n] and stay unchanged."""
    closed = []
    for slot, row in zip(slots.tolist(), rows, strict=True):
        closed.append(
            ClosedSession(
                partition=int(table.partitions[slot]),
                user=table.users[slot],
                session_id=table.session_ids[slot],
                last_event_id=table.last_event_ids[slot],
                started_at=int(row["started_at"]),
                ended_at=int(row["last_click"]),
                events=int(row["events"]),
                counts=row["counts"].tolist(),
                cart=int(row["cart"]),
                path=row["path"][: row["path_length"]].tolist(),
                conversation=conversation(row["talk"]),
            )
        )
    return closed


def close_over(state: State, partitions: Sequence[int], effects: Effects) -> tuple[Ints, Ints]:
    """Close what the watermarks of ``partitions`` have passed; tells the changed slots and those of over histories.

    An event that is not late is dated after every deadline passed, so it would have begun a new session or history
    anyway: when this looks makes no difference to what is published.
    """
    due = state.due(partitions)
    if len(due) == 0:
        return due, due
    table = state.table
    rows = table.rows[due]
    is_open = rows["open"] == 1
    effects.closed += closed_rows(table, due[is_open], rows[is_open])
    closing = rows[is_open]
    closing["abandoned_carts"] += (closing["counts"][:, ADDED] > 0) & (closing["counts"][:, COMPLETED] == 0)
    clear_sessions(closing)
    table.write(due[is_open], closing)
    ended = due[is_open]
    for slot in ended.tolist():
        table.session_ids[slot] = table.last_event_ids[slot] = ""
    gone = state.over(ended)  # the history is over as well, as it would be had a step ended between the two
    return ended[~gone], np.concatenate((due[~is_open], ended[gone]))
