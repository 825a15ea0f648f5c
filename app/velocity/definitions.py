"""How a velocity is defined: an aggregate of an entity's orders in a sliding window, with its name and its owner."""

from dataclasses import dataclass
from typing import Literal

from xxhash import xxh32_intdigest

from app.velocity.entities import ENTITY_INDEX

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WINDOWS_MS = {
    "10m": 10 * MINUTE_MS,
    "1h": HOUR_MS,
    "24h": DAY_MS,
    "7d": 7 * DAY_MS,
    "14d": 14 * DAY_MS,
    "30d": 30 * DAY_MS,
}
LONGEST_DELAY_MS = 7 * DAY_MS
RETENTION_MS = WINDOWS_MS["30d"] + LONGEST_DELAY_MS + DAY_MS
"""How long an entity remembers an order: a day more than any window reaches, for orders that come late."""

Aggregate = Literal[
    "count",
    "sum",
    "mean",
    "max",
    "distinct",
    "frauds",
    "fraud_share",
    "ratio",
    "zscore",
    "genuine_ratio",
    "genuine_zscore",
    "unusual",
    "since_first_unusual",
    "since_last_unusual",
    "since_first_fraud",
    "since_last_fraud",
    "since_genuine",
    "fraud_streak",
    "since_streak",
]
UNUSUAL = 2.5
"""A value so many times the mean of those known to be genuine is unusual."""

_UNITS: dict[Aggregate, str] = {
    "count": "orders",
    "sum": "major units",
    "mean": "major units",
    "max": "major units",
    "frauds": "orders",
    "fraud_share": "0 to 1",
    "ratio": "ratio",
    "zscore": "standard deviations",
    "genuine_ratio": "ratio",
    "genuine_zscore": "standard deviations",
    "unusual": "orders",
    "since_first_unusual": "s",
    "since_last_unusual": "s",
    "since_first_fraud": "s",
    "since_last_fraud": "s",
    "since_genuine": "s",
    "fraud_streak": "orders",
    "since_streak": "s",
}
_NAMES: dict[Aggregate, str] = {
    "count": "orders",
    "sum": "value",
    "mean": "mean_value",
    "max": "max_value",
    "frauds": "frauds",
    "fraud_share": "fraud_share",
    "ratio": "value_ratio",
    "zscore": "value_zscore",
    "genuine_ratio": "genuine_ratio",
    "genuine_zscore": "genuine_zscore",
    "unusual": "unusual_orders",
    "since_first_unusual": "since_first_unusual",
    "since_last_unusual": "since_last_unusual",
    "since_first_fraud": "since_first_fraud",
    "since_last_fraud": "since_last_fraud",
    "since_genuine": "since_genuine",
    "fraud_streak": "fraud_streak",
    "since_streak": "since_streak",
}
_LABELS: dict[Aggregate, str] = {
    "count": "orders",
    "sum": "value of orders",
    "mean": "mean value",
    "max": "largest value",
    "frauds": "known frauds",
    "fraud_share": "share of known frauds",
    "ratio": "value over the mean before it",
    "zscore": "value's distance from the mean before it",
    "genuine_ratio": "value over the mean of genuine orders",
    "genuine_zscore": "value's distance from the mean of genuine orders",
    "unusual": "unusual orders",
    "since_first_unusual": "time since the first unusual order",
    "since_last_unusual": "time since the latest unusual order",
    "since_first_fraud": "time since the first known fraud",
    "since_last_fraud": "time since the latest known fraud",
    "since_genuine": "time since the latest genuine order",
    "fraud_streak": "known frauds in a row",
    "since_streak": "time since the first known fraud in a row",
}
_MEANINGS: dict[Aggregate, str] = {
    "count": "orders {at}, this one included",
    "sum": "their value {at}, this one included",
    "mean": "their mean value {at}, this one included",
    "max": "the largest value {at}, this one included",
    "frauds": "orders {at} that labels call bad by now",
    "fraud_share": "the share of the orders {at} that labels call bad by now, 0 if there are none",
    "ratio": "this value over the mean of the orders before it {at}, 1 if there are none",
    "zscore": "this value's distance from that mean {at}, 0 where the values before did not vary",
    "genuine_ratio": "this value over the mean of the orders {at} that no label calls bad, 1 if there are none",
    "genuine_zscore": "this value's distance from the mean of the orders {at} that no label calls bad, 0 if all equal",
    "unusual": "earlier orders {at} of 2.5 times the mean value of those a week old that no label calls bad, or more",
    "since_first_unusual": "since the first such order {at}, the window's length if there is none",
    "since_last_unusual": "since the latest such order {at}, the window's length if there is none",
    "since_first_fraud": "since the first order {at} that a label calls bad, the window's length if there is none",
    "since_last_fraud": "since the latest order {at} that a label calls bad, the window's length if there is none",
    "since_genuine": "since the latest order {at} that no label calls bad, the time the window reaches back if none",
    "fraud_streak": "orders {at} that labels call bad, since the latest that none does",
    "since_streak": "since the first of those, the time the window reaches back if there are none",
}


_DELAYED: tuple[Aggregate, ...] = (
    "count",
    "frauds",
    "fraud_share",
    "genuine_ratio",
    "genuine_zscore",
    "since_genuine",
    "fraud_streak",
    "since_streak",
)
_LIMITED: tuple[Aggregate, ...] = ("since_first_fraud", "since_last_fraud", "fraud_streak", "since_streak")


class BadDefinition(ValueError):
    """A velocity that cannot be computed."""


@dataclass(frozen=True, slots=True)
class Velocity:
    """One feature: what is computed of the orders at one kind of entity.

    The window is (t - delay - window, t - delay], t being the order's event time. With a delay it does not see the
    order itself. ``of`` is the kind of entity that `distinct` counts. With a ``limit`` frauds
    are those of ordinary value: no larger (major units), and not unusual for their user.

    Raises:
        BadDefinition: no such entity or window, or more time than an entity remembers.
    """

    entity: str
    aggregate: Aggregate
    window: str
    owner: str
    of: str | None = None
    delay_ms: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        for kind in (self.entity, self.of):
            if kind is not None and kind not in ENTITY_INDEX:
                raise BadDefinition(f"there is no entity {kind!r}; there are {', '.join(ENTITY_INDEX)}")
        if self.window not in WINDOWS_MS:
            raise BadDefinition(f"there is no window {self.window!r}; there are {', '.join(WINDOWS_MS)}")
        if not 0 <= self.delay_ms <= LONGEST_DELAY_MS:
            raise BadDefinition(f"a delay of {self.delay_ms} ms is not between 0 and {LONGEST_DELAY_MS} ms")
        if (self.aggregate == "distinct") != (self.of is not None) or self.of == self.entity:
            raise BadDefinition("`of` names the other kind of entity that `distinct` counts, and is for it alone")
        if self.delay_ms and self.aggregate not in _DELAYED:
            raise BadDefinition(f"{self.aggregate} has no delayed form; {', '.join(_DELAYED)} have one")
        if self.limit is not None and (self.aggregate not in _LIMITED or self.entity == "user"):
            raise BadDefinition(f"only {', '.join(_LIMITED)} have a limit of value, and not at users")

    @property
    def name(self) -> str:
        """For instance `device_orders_1h`, `ip_users_24h`, `merchant_fraud_share_7d_after_7d`."""
        what = f"{_plural(self.of)}" if self.of else _NAMES[self.aggregate]
        delay = f"_after_{_told(self.delay_ms)}" if self.delay_ms else ""
        limit = "" if self.limit is None else f"_up_to_{self.limit}"
        return f"{self.entity}_{what}{limit}_{self.window}{delay}"

    @property
    def id(self) -> int:
        """What messages name it by, of 32 bits."""
        return xxh32_intdigest(self.name.encode())

    @property
    def window_ms(self) -> int:
        """The window's length."""
        return WINDOWS_MS[self.window]

    @property
    def delay(self) -> str:
        """When the window ended, in words; empty where that is now."""
        return f" that ended {_told(self.delay_ms)} ago" if self.delay_ms else ""

    @property
    def unit(self) -> str:
        """Of the values."""
        return _plural(self.of) if self.of else _UNITS[self.aggregate]

    @property
    def label(self) -> str:
        """What it is in a few words: `orders by device in 1 h`."""
        delay = f", {_spaced(_told(self.delay_ms))} ago" if self.delay_ms else ""
        limit = "" if self.limit is None else f" up to {self.limit}"
        what = _plural(self.of) if self.of else _LABELS[self.aggregate]
        return f"{what}{limit} by {self.entity} in {_spaced(self.window)}{delay}"

    @property
    def meaning(self) -> str:
        """How it is computed, in words."""
        at = f"at the same {self.entity} in the {self.window}{self.delay}"
        if self.of:
            return f"distinct {_plural(self.of)} of the orders {at}, this one included"
        limit = "" if self.limit is None else f", of a value of {self.limit} at most and not unusual for their user,"
        return _MEANINGS[self.aggregate].format(at=at + limit)


def _plural(kind: str | None) -> str:
    kind = kind or ""
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _spaced(length: str) -> str:
    """`1h` as `1 h`."""
    return f"{length[:-1]} {length[-1]}" if not length.endswith("m") else f"{length[:-1]} min"


def _told(ms: int) -> str:
    for unit, length in (("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS)):
        if ms % length == 0:
            return f"{ms // length}{unit}"
    return f"{ms}ms"
