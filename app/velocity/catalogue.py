"""The catalogue of velocities: each one once, with entity, aggregate, window and owner.

To add one, add a `Velocity` to `CATALOGUE`: it is then computed, named, described and known to the rules.
"""

from collections.abc import Iterator, Mapping

from app.velocity.definitions import DAY_MS, Aggregate, Velocity
from app.velocity.entities import ENTITIES

RISK_TEAM = "risk"

_AMOUNTS: tuple[Aggregate, ...] = ("count", "sum", "mean", "max", "frauds")
_HISTORY: tuple[Aggregate, ...] = ("ratio", "zscore")
_GENUINE: tuple[Aggregate, ...] = ("genuine_ratio", "genuine_zscore")
_UNUSUAL: tuple[Aggregate, ...] = ("unusual", "since_first_unusual", "since_last_unusual")
_SINCE_FRAUD: tuple[Aggregate, ...] = ("since_first_fraud", "since_last_fraud")
_STREAKS: tuple[Aggregate, ...] = ("fraud_streak", "since_streak")
_DISTINCT: Mapping[str, tuple[str, ...]] = {
    "user": ("device", "ip", "card", "merchant", "address"),
    "device": ("user", "ip", "card", "email"),
    "ip": ("user", "device", "card", "email"),
    "network": ("user", "device", "card"),
    "card": ("user", "device", "merchant", "address"),
    "email": ("user", "device", "card"),
    "merchant": ("user", "card"),
    "address": ("user", "card", "email"),
}
_WINDOWS = ("10m", "1h", "24h", "7d", "30d")
_LABEL_DELAY_MS = 7 * DAY_MS
_ORDINARY = 220
"""Major units: above it the handbook's simulator calls every payment a fraud, which says nothing about its terminal."""


def _everywhere() -> Iterator[Velocity]:
    for entity in ENTITIES:
        for window in _WINDOWS:
            yield from (Velocity(entity, aggregate, window, RISK_TEAM) for aggregate in _AMOUNTS)
            yield from (Velocity(entity, "distinct", window, RISK_TEAM, of=of) for of in _DISTINCT[entity])
        yield from (Velocity(entity, aggregate, "30d", RISK_TEAM) for aggregate in _HISTORY)


def _after_a_week() -> Iterator[Velocity]:
    """What a terminal's orders turned out to be, of those that had a week to be reported."""
    for window in ("24h", "7d", "30d"):
        for aggregate in ("count", "frauds", "fraud_share"):
            yield Velocity("merchant", aggregate, window, RISK_TEAM, delay_ms=_LABEL_DELAY_MS)


def _card_habits() -> Iterator[Velocity]:
    """How a user's order compares with those known to be genuine, and whether others of late did not either."""
    for aggregate in _GENUINE:
        yield Velocity("user", aggregate, "30d", RISK_TEAM, delay_ms=_LABEL_DELAY_MS)
    for window in ("7d", "14d"):
        for aggregate in _UNUSUAL:
            yield Velocity("user", aggregate, window, RISK_TEAM)


def _compromised() -> Iterator[Velocity]:
    """Whether a terminal, or a card, is in the hands of others, by what labels have told by now."""
    for entity in ("user", "merchant"):
        for aggregate in _SINCE_FRAUD:
            yield Velocity(entity, aggregate, "30d", RISK_TEAM)
    for aggregate in _SINCE_FRAUD:
        yield Velocity("merchant", aggregate, "30d", RISK_TEAM, limit=_ORDINARY)
    yield Velocity("merchant", "since_genuine", "30d", RISK_TEAM, delay_ms=_LABEL_DELAY_MS)
    for aggregate in _STREAKS:
        yield Velocity("merchant", aggregate, "30d", RISK_TEAM, delay_ms=_LABEL_DELAY_MS, limit=_ORDINARY)


CATALOGUE: tuple[Velocity, ...] = (*_everywhere(), *_after_a_week(), *_card_habits(), *_compromised())
BY_NAME: Mapping[str, Velocity] = {velocity.name: velocity for velocity in CATALOGUE}
assert len({velocity.id for velocity in CATALOGUE}) == len(CATALOGUE), "two velocities have one name or id"


def count_over(velocity: Velocity) -> Velocity:
    """How many orders ``velocity`` looks at: those of its entity in its window, up to now."""
    counts = [each for each in CATALOGUE if each.entity == velocity.entity and each.aggregate == "count"]
    fitting = [each for each in counts if each.window_ms >= velocity.window_ms and not each.delay_ms]
    return min(fitting, key=lambda each: each.window_ms)
