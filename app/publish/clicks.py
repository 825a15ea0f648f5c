"""Intent events: one per scored click.

They are most of what goes out, so they are written as columns: the texts of an event come first, the numbers follow in
a part of fixed width, which is filled for all events at once. A test holds them against the contract's struct.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.effects import ScoredClicks
from app.publish.digits import MILLION, fraction, millionths, whole
from app.publish.outgoing import Outgoing, cloud_events
from app.state.rows import MONEY_SCALE
from schemas.outputs import INTENTS, ModelRef
from schemas.topics import INTENT_EVENTS

Ints = NDArray[np.int64]

_TIME, _COUNT, _UNITS = 13, 10, 15  # places of numbers; event times have at most 13 digits until the year 2286
_NEEDS_ESCAPE: Final = re.compile(r'["\\\x00-\x1f]')
_NAMES: Final = np.array([list(f'"{name}"'.ljust(10).encode()) for name in INTENTS], np.uint8)


def intent_events(scored: ScoredClicks, model: ModelRef, scored_at: int, with_headers: bool) -> Iterator[Outgoing]:
    """The records of ``scored`` by partition, in processing order; clicks without a finite score are left out."""
    finite = np.isfinite(scored.purchase)
    if not finite.all():
        scored = scored.where(finite)
    if not scored.clicks:
        return
    sources, users = scored.event_ids, scored.users
    numbers = _numbers(scored, model, scored_at)
    width = numbers.shape[1]
    text = numbers.tobytes()
    starts = _starts(sources, users, scored.session_ids)
    values = [
        start.encode() + text[at : at + width] for start, at in zip(starts, range(0, len(text), width), strict=True)
    ]
    times, traces, partitions = scored.ts.tolist(), scored.traces, scored.partition
    bounds = [0, *((partitions[1:] != partitions[:-1]).nonzero()[0] + 1).tolist(), len(values)]
    for start, stop in pairwise(bounds):
        run = slice(start, stop)
        headers = None
        if with_headers:
            ids = [f"{source}:intent" for source in sources[run]]
            headers = cloud_events(INTENT_EVENTS, ids, times[run], traces[run] if traces else None)
        keys = [user.encode() for user in users[run]]
        yield Outgoing(INTENT_EVENTS, int(partitions[start]), keys, values[run], headers)


def _starts(sources: Sequence[str], users: Sequence[str], sessions: Sequence[str]) -> list[str]:
    """The part of each event that has its texts."""
    if any(_NEEDS_ESCAPE.search("".join(texts)) for texts in (sources, users, sessions)):
        sources, users, sessions = _escaped(sources), _escaped(users), _escaped(sessions)
    return [
        f'{{"event_id":"{source}:intent","source_event_id":"{source}","user_id":"{user}","session_id":"{session}",'
        for source, user, session in zip(sources, users, sessions, strict=True)
    ]


def _escaped(texts: Sequence[str]) -> list[str]:
    encode = msgspec.json.encode
    return [encode(text).decode()[1:-1] for text in texts]


def _numbers(scored: ScoredClicks, model: ModelRef, scored_at: int) -> NDArray[np.uint8]:
    """The rest of each event [n, width]."""
    times, started = scored.ts, scored.session_started_at
    cart = np.maximum(scored.cart, 0)
    units = cart // MONEY_SCALE
    counted = (times, started, scored.session_events, np.maximum(times - started, 0), units)
    time, start, events, duration, value = whole(np.array(counted))
    purchase = np.rint(scored.purchase.astype(np.float64) * MILLION).astype(np.int64)
    chances = millionths(np.concatenate((_rounded(scored.probabilities), purchase[:, None]), axis=1))
    columns: list[bytes | NDArray[np.uint8]] = [b'"ts":', time[:, -_TIME:]]
    columns += [f',"scored_at":{scored_at},"model":'.encode(), msgspec.json.encode(model), b',"intent":']
    columns += [_NAMES[scored.intent], b',"probabilities":{']
    for place, name in enumerate(INTENTS):
        columns += [f'{"," if place else ""}"{name}":'.encode(), chances[:, place]]
    columns += [b'},"purchase_probability":', chances[:, -1]]
    columns += [b',"session":{"started_at":', start[:, -_TIME:], b',"events":', events[:, -_COUNT:]]
    columns += [
        b',"duration_ms":',
        duration[:, -_TIME:],
        b',"cart_value":',
        value[:, -_UNITS:],
        b".",
        fraction(cart - MONEY_SCALE * units),
    ]
    columns.append(b"}}")
    return _side_by_side(columns, len(times))


def _side_by_side(columns: Sequence[bytes | NDArray[np.uint8]], n: int) -> NDArray[np.uint8]:
    """Constant and varying columns of text as one [n, width]."""
    widths = [len(column) if isinstance(column, bytes) else column.shape[1] for column in columns]
    parts = [column if isinstance(column, bytes) else bytes(column.shape[1]) for column in columns]
    out = np.empty((n, sum(widths)), np.uint8)
    out[:] = np.frombuffer(b"".join(parts), np.uint8)
    for column, start, width in zip(columns, accumulate(widths, initial=0), widths, strict=False):
        if not isinstance(column, bytes):
            out[:, start : start + width] = column
    return out


def _rounded(probabilities: NDArray[np.float32]) -> Ints:
    """Probabilities [n, k] in millionths that sum to a million: the largest takes what rounding left over."""
    rounded = np.rint(probabilities.astype(np.float64) * MILLION).astype(np.int64)
    rows, largest = np.arange(len(rounded)), rounded.argmax(axis=1)
    rounded[rows, largest] += MILLION - rounded.sum(axis=1)
    return rounded
