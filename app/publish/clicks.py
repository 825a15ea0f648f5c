"""Intent events: one per scored click.

They are most of what goes out, so they are written as columns: the texts of an event come first, the numbers follow in
a part of fixed width, which is filled for all events at once. A test holds them against the contract's struct.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.effects import Explained, ScoredClicks
from app.explain.contributions import PURCHASE
from app.explain.reasons import reasons
from app.models.outlook import FIRST_ACTION, OUTLOOK, SESSION_ENDS
from app.models.runtime import IntentScorer
from app.publish.digits import MILLION, fraction, millionths, whole
from app.publish.judges import Judges
from app.publish.outgoing import Outgoing, cloud_events
from app.state.rows import MONEY_SCALE
from app.text.recogniser import Understood
from app.text.slots import Slots
from schemas.outputs import INTENTS, NEXT_ACTIONS, ModelRef
from schemas.topics import INTENT_EVENTS

Ints = NDArray[np.int64]

_TIME, _COUNT, _UNITS, _FRACTION = 13, 10, 15, 4  # places; event times have at most 13 digits until the year 2286
_NAME, _ACTION, _CHANCE = 10, 27, 8
_NEEDS_ESCAPE: Final = re.compile(r'["\\\x00-\x1f]')
_NAMES: Final = np.array([list(f'"{name}"'.ljust(_NAME).encode()) for name in INTENTS], np.uint8)
_ACTIONS: Final = np.array([list(f'"{name}"'.ljust(_ACTION).encode()) for name in NEXT_ACTIONS], np.uint8)
_CHANCES: Final = {
    "purchase_24h_probability": OUTLOOK.index("purchase_24h"),
    "abandonment_probability": OUTLOOK.index("abandonment"),
    "exit_probability": SESSION_ENDS,
}
"""Probabilities of an event, and their columns of the outlook."""


def intent_events(
    scored: ScoredClicks,
    judges: Judges[IntentScorer],
    text_model: ModelRef | None,
    scored_at: int,
    with_headers: bool,
) -> Iterator[Outgoing]:
    """The records of ``scored`` by partition, in processing order; clicks without a finite score are left out."""
    finite = np.isfinite(scored.purchase)
    if not finite.all():
        scored = scored.where(finite)
    if not scored.clicks:
        return
    users = scored.users
    values = _values(scored, judges, scored_at)
    if scored.texts and text_model:
        _add_texts(values, scored.texts, text_model)
    if scored.explained:
        _add_reasons(values, scored, scored.explained)
    times, traces, partitions = scored.ts.tolist(), scored.traces, scored.partition
    bounds = [0, *((partitions[1:] != partitions[:-1]).nonzero()[0] + 1).tolist(), len(values)]
    for start, stop in pairwise(bounds):
        run = slice(start, stop)
        headers = None
        if with_headers:
            ids = [f"{click.event_id}:intent" for click in scored.clicks[run]]
            headers = cloud_events(INTENT_EVENTS, ids, times[run], traces[run] if traces else None)
        keys = [user.encode() for user in users[run]]
        yield Outgoing(INTENT_EVENTS, int(partitions[start]), keys, values[run], headers)


def _values(scored: ScoredClicks, judges: Judges[IntentScorer], scored_at: int) -> list[bytes]:
    """The events as JSON; each names the version that scored it."""
    others = [(rows, judges.ref(model)) for rows, model in judges.others(scored.tried)]
    if not others:
        return _values_of(scored, judges.serving_ref, scored_at)
    values = [b""] * len(scored.clicks)
    rest = ~np.logical_or.reduce([rows for rows, _ in others])
    for chosen, model in ((rest, judges.serving_ref), *others):
        found = _values_of(scored.where(chosen), model, scored_at)
        for place, value in zip(chosen.nonzero()[0].tolist(), found, strict=True):
            values[place] = value
    return values


def _values_of(scored: ScoredClicks, model: ModelRef, scored_at: int) -> list[bytes]:
    """The events of one version."""
    if not scored.clicks:
        return []
    numbers = _numbers(scored, model, scored_at)
    width = numbers.shape[1]
    text = numbers.tobytes().decode("ascii")
    sources, users, sessions = scored.event_ids, scored.users, scored.session_ids
    if any(_NEEDS_ESCAPE.search("".join(texts)) for texts in (sources, users, sessions)):
        sources, users, sessions = _escaped(sources), _escaped(users), _escaped(sessions)
    starts = zip(sources, users, sessions, _next_categories(scored), range(0, len(text), width), strict=True)
    return [
        f'{{"event_id":"{source}:intent","source_event_id":"{source}","user_id":"{user}","session_id":"{session}",'
        f"{next_}{text[at : at + width]}".encode()
        for source, user, session, next_, at in starts
    ]


def _add_texts(values: list[bytes], texts: Sequence[Understood | None], model: ModelRef) -> None:
    """Put what was made of a click's words into its event, in place."""
    encode = msgspec.json.Encoder().encode
    for place, text in enumerate(texts):
        if text is not None:
            part = TextPart(text.language, text.slots, model, text.intent)
            values[place] = values[place][:-1] + b"," + encode(part)[1:]


def _add_reasons(values: list[bytes], scored: ScoredClicks, explained: Sequence[Explained | None]) -> None:
    """Put why a purchase is as probable as it is into the events of those that are explained, in place."""
    places = [place for place, why in enumerate(explained) if why is not None]
    added = np.array([why.added[PURCHASE] for why in explained if why is not None])
    encode = msgspec.json.Encoder().encode
    for place, told in zip(places, reasons(scored.purchase[places], added, scored.features[places]), strict=True):
        values[place] = values[place][:-1] + b',"reasons":' + encode(told) + b"}"


class TextPart(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The fields of an intent event that are about words."""

    language: str
    slots: Slots
    text_model: ModelRef
    query_intent: str | None = None


def _has_outlook(scored: ScoredClicks) -> bool:
    return bool(np.isfinite(scored.outlook).all())


def _next_categories(scored: ScoredClicks) -> list[str]:
    """Where the next event may be: this event's category with its probability; nothing where it has none."""
    if not _has_outlook(scored):
        return [""] * len(scored.clicks)
    names = [click.category or "" for click in scored.clicks]
    if _NEEDS_ESCAPE.search("".join(names)):
        names = _escaped(names)
    millions = np.rint(scored.outlook[:, OUTLOOK.index("same_category")].astype(np.float64) * MILLION)
    text = millionths(millions.astype(np.int64)).tobytes().decode()
    return [
        f'"next_category":[{{"category":"{name}","probability":{text[at : at + _CHANCE]}}}],' if name else ""
        for name, at in zip(names, range(0, len(text), _CHANCE), strict=True)
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
    columns = [
        time[:, -_TIME:],
        np.frombuffer(f"{scored_at:{_TIME}d}".encode(), np.uint8),
        _NAMES[scored.intent],
        *millionths(_rounded(scored.probabilities, scored.purchase)).swapaxes(0, 1),
        start[:, -_TIME:],
        events[:, -_COUNT:],
        duration[:, -_TIME:],
        value[:, -_UNITS:],
        fraction(cart - MONEY_SCALE * units),
    ]
    has_outlook = _has_outlook(scored)
    if has_outlook:
        chances = scored.outlook[:, list(_CHANCES.values())].astype(np.float64)
        columns.extend(millionths(np.rint(chances * MILLION).astype(np.int64)).swapaxes(0, 1))
        columns.append(_ACTIONS[scored.outlook[:, FIRST_ACTION:].argmax(axis=1)])
    constant, places = _layout(msgspec.json.encode(model), has_outlook)
    out = np.empty((len(times), len(constant)), np.uint8)
    out[:] = constant
    for place, column in zip(places, columns, strict=True):
        out[:, place] = column
    return out


@lru_cache(maxsize=16)
def _layout(model: bytes, has_outlook: bool) -> tuple[NDArray[np.uint8], list[slice]]:
    """What is the same in all events of a model [width], and where the columns lie that are not."""
    parts: list[bytes | int] = [b'"ts":', _TIME, b',"scored_at":', _TIME, b',"model":', model, b',"intent":', _NAME]
    parts.append(b',"probabilities":{')
    for index, name in enumerate(INTENTS):
        parts += [f'{"," if index else ""}"{name}":'.encode(), _CHANCE]
    parts += [b'},"purchase_probability":', _CHANCE]
    parts += [b',"session":{"started_at":', _TIME, b',"events":', _COUNT, b',"duration_ms":', _TIME]
    parts += [b',"cart_value":', _UNITS, b".", _FRACTION, b"}"]
    if has_outlook:
        for name in _CHANCES:
            parts += [f',"{name}":'.encode(), _CHANCE]
        parts += [b',"next_action":', _ACTION]
    parts.append(b"}")
    texts = [bytes(part) for part in parts]  # of a width it is as many zeros
    ends = list(accumulate(map(len, texts), initial=0))
    places = [slice(*ends[at : at + 2]) for at, part in enumerate(parts) if isinstance(part, int)]
    return np.frombuffer(b"".join(texts), np.uint8), places


def _rounded(probabilities: NDArray[np.float32], purchase: NDArray[np.float32]) -> Ints:
    """Probabilities [n, k] in millionths that sum to a million (the largest takes what rounding left over), and of a
    purchase [n] after them: [n, k + 1]."""
    n, intents = probabilities.shape
    chances = np.empty((n, intents + 1), np.float64)
    chances[:, :-1], chances[:, -1] = probabilities, purchase
    rounded: Ints = np.rint(chances * MILLION).astype(np.int64)
    of_intents = rounded[:, :-1]
    of_intents[np.arange(n), of_intents.argmax(axis=1)] += MILLION - of_intents.sum(axis=1)
    return rounded
