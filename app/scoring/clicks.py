"""Clicks: their sessions, their features, what the intent model says, and the rows they leave behind."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from app.batch import CLICK, Batch
from app.effects import ClosedSession, Effects, ScoredClicks, Tried
from app.events.records import Columns, Records
from app.features.clicks import click_features
from app.features.scan import Flags, Ints, first_rows, group_index, group_starts, last_rows, previous, ranks
from app.features.session import Sessions, SortedClicks, scan_sessions
from app.models.runtime import IntentScorer
from app.models.trial import Trial
from app.models.waves import Scores
from app.scoring.conversations import Talks, before, conversation, talks
from app.scoring.explaining import Beginning, Explaining, explained
from app.scoring.sessions import closed_rows
from app.scoring.texts import read_texts
from app.scoring.trial import Clicks, score_clicks_with
from app.state.columns import UserTable
from app.state.rows import BLOCKS, MONEY_SCALE, PATH_LENGTH, Rows
from app.text.recogniser import TextReader
from schemas.events import Click
from schemas.outputs import FailureType
from schemas.topics import CLICKSTREAM

_MAX_AMOUNT = 1e13  # 1e-4 major units; keeps every sum of a session within 64 bits
_NO_INTENT = 255


@dataclass(frozen=True, slots=True)
class Seen:
    """The clicks of a piece, sorted, the running columns at each, and its place in processing order."""

    clicks: SortedClicks
    sessions: Sessions
    place: Ints


def score_clicks(
    table: UserTable,
    records: Records,
    batch: Batch,
    user: Ints,
    slots: Ints,
    rows: Rows,
    model: IntentScorer,
    trial: Trial[IntentScorer],
    reader: TextReader | None,
    explaining: Explaining | None,
    effects: Effects,
) -> Seen:
    """Score the clicks of ``batch``; ``rows`` [users] of ``slots`` take over what they left, in place.

    Args:
        user: row of ``rows`` for each record of the batch.
    """
    mine = batch.kind == CLICK
    index, owner = batch.index[mine], user[mine]
    columns = records.topics[CLICKSTREAM]
    kept, place = _in_order(index, len(columns))
    events = cast(list[Click], columns.events)
    if len(kept) < len(columns):
        events = [events[i] for i in kept.tolist()]
    clicks = _sorted_clicks(events, place, owner, batch.ts[mine], columns.codes[index])
    sessions = scan_sessions(rows, clicks, table.lifetimes.gap_ms)
    seen = Seen(clicks, sessions, place)
    if not events:
        return seen
    ids = _session_ids(table, slots, seen, events)
    hidden = np.ascontiguousarray(rows["hidden"])
    features = click_features(rows, clicks, sessions)
    to_score = Clicks(features, clicks.user, ranks(sessions.user_starts, sessions.user))
    users = [table.users[slot] for slot in slots.tolist()]
    beginning = Beginning(hidden.copy(), rows["encoder"].copy()) if explaining else None
    scores, tried = score_clicks_with(model, trial, to_score, rows, hidden, users)
    scored = _scored(columns, kept, seen, events, ids, features, scores, tried)
    for row in np.isnan(scored.purchase).nonzero()[0].tolist():
        message = f"Model {model.name} {model.version} gave a number that is not finite"
        failure = columns.reject(int(kept[row]), FailureType.MODEL_FAILURE, "score", "ModelFailure", message)
        effects.rejected.append(failure)
    texts = read_texts(events, reader)
    scored = replace(scored, texts=texts)
    if explaining and beginning:
        why = explained(explaining, scored, to_score, place, beginning, model, trial)
        scored = replace(scored, explained=why)
    effects.clicks.append(scored)
    intent = scored.intent[place]
    changed = _changes(rows, seen, intent)
    said = talks(rows, sessions, place, events, texts)
    effects.closed += _closed(table, slots, rows, seen, ids, events, intent, changed, said)
    _leave(rows, seen, hidden, intent, changed, said)
    _leave_ids(table, slots, seen, ids, events)
    return seen


def _in_order(index: Ints, most: int) -> tuple[Ints, Ints]:
    """The distinct ``index`` [n] (below ``most``) in order, and the place of each among them."""
    rank = first_rows(index, most).cumsum() - 1
    place = rank[index]
    kept = np.empty_like(index)
    kept[place] = index
    return kept, place


def _scored(
    columns: Columns,
    kept: Ints,
    seen: Seen,
    events: list[Click],
    ids: list[str],
    features: NDArray[np.float32],
    scores: Scores,
    tried: Tried,
) -> ScoredClicks:
    """What was said of ``events``, in their order."""
    sessions = seen.sessions
    order = np.empty_like(seen.place)
    order[seen.place] = np.arange(len(order))
    probabilities, purchase = scores.probabilities[order], scores.purchase[order]
    purchase[~(np.isfinite(probabilities).all(axis=1) & np.isfinite(purchase))] = np.nan
    owners = sessions.session[order].tolist()
    return ScoredClicks(
        clicks=events,
        users=[columns.users[i] for i in kept.tolist()] if len(kept) < len(columns) else columns.users,
        partition=columns.partition[kept],
        position=columns.position[kept],
        traces=None if columns.traces is None else [columns.traces[i] for i in kept.tolist()],
        ts=columns.ts[kept],
        type=columns.codes[kept],
        session_ids=[event.session_id or ids[owner] for event, owner in zip(events, owners, strict=True)],
        session_started_at=sessions.started_at[order],
        session_events=sessions.events[order],
        cart=sessions.cart[order],
        features=features[order],
        probabilities=probabilities,
        purchase=purchase,
        outlook=scores.outlook[order],
        intent=probabilities.argmax(axis=1),
        tried=tried.at(order),
    )


def _sorted_clicks(events: list[Click], place: Ints, owner: Ints, ts: Ints, codes: Ints) -> SortedClicks:
    price = np.array([event.price or 0.0 for event in events], np.float64)
    quantity = np.array([1 if event.quantity is None else event.quantity for event in events], np.float64)
    amount = np.rint(np.minimum(price * quantity * MONEY_SCALE, _MAX_AMOUNT)).astype(np.int64)
    digest, cached = xxh3_64_intdigest, _category_hash
    items = [digest(event.product_id.encode()) if event.product_id else 0 for event in events]
    categories = [cached(event.category) if event.category else 0 for event in events]
    return SortedClicks(
        user=owner,
        ts=ts,
        type=codes,
        hashes=np.array((items, categories), np.uint64)[:, place],
        price=price[place],
        amount=amount[place],
    )


@lru_cache(maxsize=65_536)
def _category_hash(category: str) -> int:
    return xxh3_64_intdigest(category.encode())


def _session_ids(table: UserTable, slots: Ints, seen: Seen, events: list[Click]) -> list[str]:
    """The id of each session: what its first click gave, else made of its user and start."""
    sessions = seen.sessions
    ids = []
    firsts = zip(
        seen.place[sessions.session_starts].tolist(),
        sessions.continued.tolist(),
        slots[sessions.session_user].tolist(),
        strict=True,
    )
    for place, continued, slot in firsts:
        if continued:
            ids.append(table.session_ids[slot])
        else:
            first = events[place]
            ids.append(first.session_id or made_session_id(table.users[slot], first.ts))
    return ids


def made_session_id(user: str, started_at: int) -> str:
    """The id of a session that came without one."""
    return "s-" + xxh3_128_hexdigest(f"{started_at}:{user}".encode())


def _changes(rows: Rows, seen: Seen, intent: Ints) -> Flags:
    """Which clicks change the intent of their session."""
    sessions = seen.sessions
    length = rows["path_length"][sessions.session_user].astype(np.int64)
    latest = rows["path"][sessions.session_user, np.maximum(length - 1, 0)]
    base = np.where(sessions.continued & (length > 0), latest, _NO_INTENT)
    return np.asarray(intent != previous(intent, sessions.session_starts, base))


def _closed(
    table: UserTable,
    slots: Ints,
    rows: Rows,
    seen: Seen,
    ids: list[str],
    events: list[Click],
    intent: Ints,
    changed: Flags,
    said: Talks,
) -> list[ClosedSession]:
    """The sessions that ended because the same user's next one began, each user's in order."""
    sessions = seen.sessions
    owners = sessions.users
    replaced = owners[sessions.new[sessions.user_starts] & (rows["open"][owners] == 1)]
    closed = closed_rows(table, slots[replaced], rows[replaced]) if len(replaced) else []
    ends = last_rows(sessions.session_starts, len(events))
    for session in (sessions.session_user[:-1] == sessions.session_user[1:]).nonzero()[0].tolist():
        start, end = int(sessions.session_starts[session]), int(ends[session])
        row = int(sessions.session_user[session])
        begun = rows["path"][row][: rows["path_length"][row]].tolist() if sessions.continued[session] else []
        run = slice(start, end + 1)
        slot = int(slots[row])
        closed.append(
            ClosedSession(
                partition=int(table.partitions[slot]),
                user=table.users[slot],
                session_id=ids[session],
                last_event_id=events[int(seen.place[end])].event_id,
                started_at=int(sessions.started_at[end]),
                ended_at=int(sessions.latest[end]),
                events=int(sessions.events[end]),
                counts=sessions.counts[:, end].tolist(),
                cart=int(sessions.cart[end]),
                path=(begun + intent[run][changed[run]].tolist())[:PATH_LENGTH],
                conversation=conversation(said.get(session) or before(rows, sessions, session)),
            )
        )
    return closed


def _leave(rows: Rows, seen: Seen, hidden: NDArray[np.float32], intent: Ints, changed: Flags, said: Talks) -> None:
    """Write into ``rows`` what each user's last click left, in place."""
    sessions, owner = seen.sessions, seen.sessions.users
    last = last_rows(sessions.user_starts, len(intent))
    session = sessions.session[last]
    began = owner[~sessions.continued[session]]
    blocks = rows.view(BLOCKS)
    blocks["seen"][began] = 0
    rows["path_length"][began] = 0
    rows["path"][began] = 0
    rows["talk"][began] = 0
    is_last = first_rows(session, len(sessions.session_starts))
    current = is_last[sessions.session]
    sessions.bits.set(sessions.new_bits & current, seen.clicks.user, blocks["seen"])
    _leave_path(rows, seen, current & changed, intent)
    rows["open"][owner] = 1
    rows["last_click"][owner] = sessions.latest[last]
    for name in ("counted", "distinct", "history"):
        blocks[name][owner] = getattr(sessions, name)[:, last].T
    for name in ("started_at", "cart", "last_purchase", "last_add"):
        rows[name][owner] = getattr(sessions, name)[last]
    rows["hidden"] = hidden
    if said:
        of_last = {int(each): int(user) for each, user in zip(session, owner, strict=True)}
        for each, talk in said.items():
            if each in of_last:
                rows["talk"][of_last[each]] = talk


def _leave_path(rows: Rows, seen: Seen, grown: Flags, intent: Ints) -> None:
    where = grown.nonzero()[0]
    owner = seen.clicks.user[where]
    starts = group_starts(owner)
    place = rows["path_length"][owner] + ranks(starts, group_index(first_rows(starts, len(owner))))
    fits = place < PATH_LENGTH
    owner, place = owner[fits], place[fits]
    rows["path"][owner, place] = intent[where[fits]]
    np.maximum.at(rows["path_length"], owner, (place + 1).astype(np.uint8))


def _leave_ids(table: UserTable, slots: Ints, seen: Seen, ids: list[str], events: list[Click]) -> None:
    sessions = seen.sessions
    last = last_rows(sessions.user_starts, len(events))
    owners, places = slots[sessions.users].tolist(), seen.place[last].tolist()
    for slot, place, session in zip(owners, places, sessions.session[last].tolist(), strict=True):
        table.session_ids[slot] = ids[session]
        table.last_event_ids[slot] = events[place].event_id
