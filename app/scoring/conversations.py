"""The messages of a session as one conversation with customer service, in four bytes of the user's row.

The bytes are the number of messages, 1 + the code of the intent that was wanted last (0: none), how satisfied the
writer is, and how surely the last message says that the problem is solved, both in hundredths.
"""

from collections.abc import Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from app.effects import Conversation
from app.features.scan import Ints
from app.features.session import Sessions
from app.state.rows import TALK, Rows
from app.text.recogniser import Understood
from schemas.events import Click
from schemas.outputs import QUERY_INTENTS

Talks = dict[int, list[int]]
"""By session, its bytes after its last message."""

_OTHER = QUERY_INTENTS.index("other")
_MOST = 255
_SILENT = [0] * TALK


def talks(
    rows: Rows, sessions: Sessions, place: Ints, events: Sequence[Click], texts: Sequence[Understood | None] | None
) -> Talks:
    """What the sessions in which new messages came said until their ends.

    Args:
        rows: of the users before these clicks.
        sessions: of the sorted clicks.
        place: of each sorted click among ``events``.
        events: the clicks in processing order.
        texts: what was made of their words.
    """
    if texts is None:
        return {}
    spoken = [text is not None and bool(event.message) for event, text in zip(events, texts, strict=True)]
    found: Talks = {}
    for click in np.array(spoken, np.bool_)[place].nonzero()[0].tolist():
        session = int(sessions.session[click])
        text = texts[int(place[click])]
        if text is not None:
            found[session] = _after(found.get(session) or before(rows, sessions, session), text)
    return found


def before(rows: Rows, sessions: Sessions, session: int) -> list[int]:
    """The bytes of a session as its row has them."""
    talk: list[int] = rows["talk"][sessions.session_user[session]].tolist()
    return talk if sessions.continued[session] else _SILENT


def _after(talk: list[int], text: Understood) -> list[int]:
    messages, wanted, satisfied, solved = talk
    if text.intent is not None and (code := QUERY_INTENTS.index(text.intent)) != _OTHER:
        wanted = code + 1
    if isfinite(text.satisfied):
        now = round(100 * text.satisfied)
        satisfied = (satisfied + now) // 2 if messages else now  # the latest words weigh the most
    if isfinite(text.solved):
        solved = round(100 * text.solved)
    return [min(messages + 1, _MOST), wanted, satisfied, solved]


def conversation(talk: Sequence[int] | NDArray[np.uint8]) -> Conversation | None:
    """What the bytes of a session say."""
    messages, wanted, satisfied, solved = (int(byte) for byte in talk)
    if not messages:
        return None
    return Conversation(messages, QUERY_INTENTS[wanted - 1] if wanted else None, satisfied / 100, solved / 100)
