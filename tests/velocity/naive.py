"""What each order should be told, one after another in plain Python: slow, and easy to believe."""

from dataclasses import dataclass, field
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from app.velocity.definitions import DAY_MS, RETENTION_MS, UNUSUAL, Velocity
from app.velocity.entities import ENTITIES, ENTITY_INDEX, entity_key, event_key, order_key
from app.velocity.records import Asks, Labels


@dataclass(frozen=True)
class Event:
    """An order with the names of its entities by kind, or a label about one (``bad`` is not None); ``id`` is that of
    the event, where it is not one of its own."""

    ts: int
    order: str
    user: str
    amount: int = 0
    names: dict[str, str] = field(default_factory=dict)
    bad: bool | None = None
    id: str = ""

    @property
    def entities(self) -> dict[str, str]:
        return {"user": self.user, **self.names}


@dataclass
class Past:
    """An order that has been."""

    event: Event
    bad: bool = False
    unusual: bool = False


class NaiveVelocities:
    """Goes through every order before, for every value."""

    def __init__(self, velocities: tuple[Velocity, ...]) -> None:
        self._velocities = velocities
        self._past: list[Past] = []
        self._waiting: dict[tuple[str, str], bool] = {}

    def take(self, event: Event) -> list[float] | None:
        """The values at an order, None at a label."""
        if event.bad is not None:
            self._label(event.user, event.order, event.bad)
            return None
        self._past.append(Past(event))
        usual = Velocity("user", "genuine_ratio", "30d", "test", delay_ms=7 * DAY_MS)
        self._past[-1].unusual = self._value(usual, event) >= UNUSUAL
        values = [self._value(velocity, event) for velocity in self._velocities]
        waited = self._waiting.pop((event.user, event.order), None)
        if waited is not None:
            self._past[-1].bad = waited
        return values

    def _label(self, user: str, order: str, bad: bool) -> None:
        mine = [past for past in self._past if past.event.user == user]
        latest = max((past.event.ts for past in mine), default=0)
        same = [past for past in mine if past.event.order == order and past.event.ts > latest - RETENTION_MS]
        if not same:
            self._waiting[user, order] = bad
            return
        last = max(past.event.ts for past in same)
        [past for past in same if past.event.ts == last][-1].bad = bad

    def _value(self, velocity: Velocity, event: Event) -> float:
        name = event.entities.get(velocity.entity)
        if name is None:
            return nan
        same = [past for past in self._past if past.event.entities.get(velocity.entity) == name]
        forgotten = max(past.event.ts for past in same) - RETENTION_MS
        same = [past for past in same if past.event.ts > forgotten or past.event is event]
        stop = event.ts - velocity.delay_ms
        seen = [past for past in same if stop - velocity.window_ms < past.event.ts <= stop]
        before = [past.event.amount for past in seen if past.event is not event]
        amounts = [past.event.amount for past in seen]
        bad = sum(past.bad for past in seen)
        match velocity.aggregate:
            case "count":
                return len(seen)
            case "sum":
                return sum(amounts) / 10_000
            case "mean":
                return sum(amounts) / len(amounts) / 10_000
            case "max":
                return max(amounts) / 10_000
            case "distinct":
                names = {past.event.entities.get(str(velocity.of)) for past in seen}
                return len(names - {None})
            case "frauds":
                return bad
            case "fraud_share":
                return bad / len(seen) if seen else 0
            case "ratio":
                return event.amount * len(before) / sum(before) if before else 1
            case "zscore":
                return _deviations(event.amount, before)
            case _:
                return _history(velocity, event, same, seen)


def _history(velocity: Velocity, event: Event, same: list[Past], seen: list[Past]) -> float:
    genuine = [past.event.amount for past in seen if not past.bad]
    most = velocity.limit * 10_000 if velocity.limit is not None else 10**18

    def counts(past: Past) -> bool:
        return past.bad and (velocity.limit is None or (past.event.amount <= most and not past.unusual))

    frauds = [past.event.ts for past in seen if counts(past)]
    reach = velocity.window_ms / 1000
    match velocity.aggregate:
        case "genuine_ratio":
            return event.amount * len(genuine) / sum(genuine) if genuine else 1
        case "genuine_zscore":
            return _deviations(event.amount, genuine)
        case "since_first_fraud":
            return (event.ts - min(frauds)) / 1000 if frauds else reach
        case "since_last_fraud":
            return (event.ts - max(frauds)) / 1000 if frauds else reach
        case "since_genuine":
            last = max((past.event.ts for past in seen if not past.bad), default=None)
            return (event.ts - last) / 1000 if last is not None else reach + velocity.delay_ms / 1000
        case "fraud_streak" | "since_streak":
            in_order = sorted(seen, key=lambda past: past.event.ts)
            genuine_at = [index for index, past in enumerate(in_order) if not past.bad]
            streak = [past for past in in_order[genuine_at[-1] + 1 if genuine_at else 0 :] if counts(past)]
            if velocity.aggregate == "fraud_streak":
                return len(streak)
            return (event.ts - streak[0].event.ts) / 1000 if streak else reach + velocity.delay_ms / 1000
    unusual = _unusual(event, same, seen)
    match velocity.aggregate:
        case "unusual":
            return len(unusual)
        case "since_first_unusual":
            return (event.ts - min(unusual)) / 1000 if unusual else reach
        case "since_last_unusual":
            return (event.ts - max(unusual)) / 1000 if unusual else reach
    raise AssertionError(velocity)


def _unusual(event: Event, same: list[Past], seen: list[Past]) -> list[int]:
    old = [past for past in same if event.ts - 37 * DAY_MS < past.event.ts <= event.ts - 7 * DAY_MS]
    genuine = [past.event.amount for past in old if not past.bad]
    if not genuine:
        return []
    limit = UNUSUAL * sum(genuine) / len(genuine)
    return [past.event.ts for past in seen if past.event is not event and past.event.amount >= limit]


def _deviations(amount: int, before: list[int]) -> float:
    if len(before) < 2:
        return 0
    mean = sum(before) / len(before)
    deviation = sqrt(sum((value - mean) ** 2 for value in before) / len(before))
    return (amount - mean) / deviation if deviation > 1e-6 * mean else 0


def columns(events: list[Event], first_turn: int = 0) -> tuple[Asks, Labels]:
    """The events as the engine takes them."""
    turns = np.arange(first_turn, first_turn + len(events))
    asks = [(turn, event) for turn, event in zip(turns.tolist(), events, strict=True) if event.bad is None]
    told = [(turn, event) for turn, event in zip(turns.tolist(), events, strict=True) if event.bad is not None]
    entities = np.zeros((len(asks), len(ENTITIES)), np.uint64)
    for row, (_, event) in enumerate(asks):
        for kind, name in event.entities.items():
            entities[row, ENTITY_INDEX[kind]] = entity_key(kind, name)
    ts = _ints([event.ts for _, event in asks])
    return (
        Asks(
            turn=_ints([turn for turn, _ in asks]),
            ts=ts,
            believed=ts.copy(),
            amount=_ints([event.amount for _, event in asks]),
            event=_keys([event_key(event.id or str(turn)) for turn, event in asks]),
            order=_keys([order_key(event.order) for _, event in asks]),
            entities=entities,
        ),
        Labels(
            turn=_ints([turn for turn, _ in told]),
            ts=_ints([event.ts for _, event in told]),
            user=_keys([entity_key("user", event.user) for _, event in told]),
            order=_keys([order_key(event.order) for _, event in told]),
            bad=np.array([bool(event.bad) for _, event in told], np.bool_),
        ),
    )


def _ints(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _keys(values: list[int]) -> NDArray[np.uint64]:
    return np.array(values, np.uint64)
