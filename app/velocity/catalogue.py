"""The catalogue of velocities: each one once, with entity, aggregate, window and owner.

To add one, add a `Velocity` to `CATALOGUE`: it is then computed, named, described and known to the rules.
"""

from collections.abc import Iterator, Mapping

from app.velocity.definitions import DAY_MS, WINDOWS_MS, Aggregate, Velocity
from app.velocity.entities import ENTITIES

RISK_TEAM = "risk"

_AMOUNTS: tuple[Aggregate, ...] = ("count", "sum", "mean", "max", "frauds")
_HISTORY: tuple[Aggregate, ...] = ("ratio", "zscore")
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
_LABEL_DELAY_MS = 7 * DAY_MS


def _everywhere() -> Iterator[Velocity]:
    for entity in ENTITIES:
        for window in WINDOWS_MS:
            yield from (Velocity(entity, aggregate, window, RISK_TEAM) for aggregate in _AMOUNTS)
            yield from (Velocity(entity, "distinct", window, RISK_TEAM, of=of) for of in _DISTINCT[entity])
        yield from (Velocity(entity, aggregate, "30d", RISK_TEAM) for aggregate in _HISTORY)


def _after_a_week() -> Iterator[Velocity]:
    """What a terminal's orders turned out to be, of those that had a week to be reported."""
    for window in ("24h", "7d", "30d"):
        for aggregate in ("count", "frauds", "fraud_share"):
            yield Velocity("merchant", aggregate, window, RISK_TEAM, delay_ms=_LABEL_DELAY_MS)


CATALOGUE: tuple[Velocity, ...] = (*_everywhere(), *_after_a_week())
BY_NAME: Mapping[str, Velocity] = {velocity.name: velocity for velocity in CATALOGUE}
assert len(BY_NAME) == len(CATALOGUE), "two velocities have one name"
