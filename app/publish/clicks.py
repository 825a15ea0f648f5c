"""Intent events: one per scored click, or a dead letter where the model gave no number."""

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.effects import ScoredClicks
from app.publish.outgoing import Outgoing, cloud_events, text_bytes
from app.state.rows import MONEY_SCALE
from schemas.outputs import INTENTS, IntentEvent, ModelRef, Probabilities, SessionState
from schemas.topics import INTENT_EVENTS

_DECIMALS = 6


def intent_events(scored: ScoredClicks, model: ModelRef, scored_at: int, with_headers: bool) -> Iterator[Outgoing]:
    """The records of ``scored`` by partition, in processing order."""
    order = np.argsort(scored.position)
    order = order[np.isfinite(scored.purchase[order])]
    if len(order) == 0:
        return
    places = order.tolist()
    events = _events(scored, order, places, model, scored_at)
    values = msgspec.json.Encoder().encode_lines(events).split(b"\n")
    users = [scored.users[place] for place in places]
    times = scored.ts[order].tolist()
    traces = None if scored.traces is None else [scored.traces[place] for place in places]
    ids = [event.event_id for event in events]
    partitions = scored.partition[order]
    bounds = [0, *(np.flatnonzero(np.diff(partitions)) + 1).tolist(), len(places)]
    for start, stop in pairwise(bounds):
        run = slice(start, stop)
        headers = None
        if with_headers:
            headers = cloud_events(INTENT_EVENTS, ids[run], times[run], traces[run] if traces else None)
        keys = [text_bytes(user) for user in users[run]]
        yield Outgoing(INTENT_EVENTS, int(partitions[start]), times[run], keys, values[run], headers)


def _events(
    scored: ScoredClicks, order: NDArray[np.int64], places: list[int], model: ModelRef, scored_at: int
) -> list[IntentEvent]:
    probabilities = _rounded(scored.probabilities[order]).tolist()
    purchase = np.round(scored.purchase[order].astype(np.float64), _DECIMALS).tolist()
    times = scored.ts[order]
    started = scored.session_started_at[order]
    sessions = map(
        SessionState,
        started.tolist(),
        scored.session_events[order].tolist(),
        np.maximum(times - started, 0).tolist(),
        (np.maximum(scored.cart[order], 0) / MONEY_SCALE).tolist(),
    )
    clicks, users, ids = scored.clicks, scored.users, scored.session_ids
    return [
        IntentEvent(
            f"{clicks[place].event_id}:intent",
            clicks[place].event_id,
            users[place],
            ts,
            scored_at,
            model,
            ids[place],
            INTENTS[intent],
            Probabilities(*chances),
            chance,
            session,
        )
        for place, ts, intent, chances, chance, session in zip(
            places, times.tolist(), scored.intent[order].tolist(), probabilities, purchase, sessions, strict=True
        )
    ]


def _rounded(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities [n, k] with few digits that still sum to 1: the largest takes what rounding left over."""
    rounded = np.round(probabilities.astype(np.float64), _DECIMALS)
    rows, largest = np.arange(len(rounded)), rounded.argmax(axis=1)
    rounded[rows, largest] += 1 - rounded.sum(axis=1)
    return np.round(rounded, _DECIMALS)
