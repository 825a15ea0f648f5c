"""Session events: one summary per closed session."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from app.effects import ClosedSession
from app.models.runtime import IntentScorer
from app.publish.judges import Judges
from app.publish.outgoing import Outgoing, cloud_events
from app.state.rows import MONEY_SCALE
from schemas.events import CLICK_CODES, CLICK_TYPES
from schemas.outputs import INTENTS, Conversation, ModelRef, Outcome, SessionEvent
from schemas.topics import SESSION_EVENTS

_PURCHASED, _ADDED = CLICK_CODES["order_completed"], CLICK_CODES["product_added"]
_MESSAGES = CLICK_CODES["message_sent"]


def session_events(
    closed: Sequence[ClosedSession],
    judges: Judges[IntentScorer],
    text_model: ModelRef | None,
    scored_at: int,
    with_headers: bool,
) -> Iterator[Outgoing]:
    """The records of ``closed`` by partition, in order."""
    by_partition: defaultdict[int, list[ClosedSession]] = defaultdict(list)
    for session in closed:
        by_partition[session.partition].append(session)
    encoder = msgspec.json.Encoder()
    for partition, sessions in by_partition.items():
        models = judges.refs([session.user for session in sessions])
        events = [_event(*one, text_model, scored_at) for one in zip(sessions, models, strict=True)]
        times = [event.ts for event in events]
        headers = None
        if with_headers:
            headers = cloud_events(SESSION_EVENTS, [event.event_id for event in events], times, None)
        keys = [event.user_id.encode() for event in events]
        yield Outgoing(SESSION_EVENTS, partition, keys, [encoder.encode(event) for event in events], headers)


def _event(session: ClosedSession, model: ModelRef, text_model: ModelRef | None, scored_at: int) -> SessionEvent:
    counts = {name: count for name, count in zip(CLICK_TYPES, session.counts, strict=True) if count}
    return SessionEvent(
        event_id=f"{session.last_event_id}:closed",
        source_event_id=session.last_event_id,
        user_id=session.user,
        ts=session.ended_at,
        scored_at=scored_at,
        model=model,
        session_id=session.session_id,
        started_at=session.started_at,
        ended_at=session.ended_at,
        events=session.events,
        counts=counts,
        cart_value=max(session.cart, 0) / MONEY_SCALE,
        outcome=outcome(session.counts),
        intent_path=[INTENTS[code] for code in session.path],  # type: ignore[misc]
        conversation=_conversation(session, text_model),
    )


def _conversation(session: ClosedSession, model: ModelRef | None) -> Conversation | None:
    told = session.conversation
    if told is None or model is None:
        return None
    satisfaction = round(4 * told.satisfied - 2, 2)
    return Conversation(told.messages, satisfaction, told.solved, model, told.wanted)  # type: ignore[arg-type]


def outcome(counts: Sequence[int]) -> Outcome:
    """How a session ended, from its clicks by type."""
    if counts[_PURCHASED]:
        return "purchase"
    if counts[_MESSAGES]:
        return "support"
    return "abandoned_cart" if counts[_ADDED] else "browse"
