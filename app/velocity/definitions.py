"""How a velocity is defined: an aggregate of an entity's orders in a sliding window, with its name and its owner."""

from dataclasses import dataclass
from typing import Literal

from app.velocity.entities import ENTITY_INDEX

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WINDOWS_MS = {"10m": 10 * MINUTE_MS, "1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
LONGEST_DELAY_MS = 7 * DAY_MS
RETENTION_MS = WINDOWS_MS["30d"] + LONGEST_DELAY_MS + DAY_MS
"""How long an entity remembers an order: a day more than any window reaches, for orders that come late."""

Aggregate = Literal["count", "sum", "mean", "max", "distinct", "frauds", "fraud_share", "ratio", "zscore"]

_UNITS: dict[Aggregate, str] = {
    "count": "orders",
    "sum": "major units",
    "mean": "major units",
    "max": "major units",
    "frauds": "orders",
    "fraud_share": "0 to 1",
    "ratio": "ratio",
    "zscore": "standard deviations",
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
}


class BadDefinition(ValueError):
    """A velocity that cannot be computed."""


@dataclass(frozen=True, slots=True)
class Velocity:
    """One feature: what is computed of the orders at one kind of entity.

    The window is (t - delay - window, t - delay], t being the order's event time. With a delay it does not see the
    order itself. ``of`` is the kind of entity that `distinct` counts.

    Raises:
        BadDefinition: no such entity or window, or more time than an entity remembers.
    """

    entity: str
    aggregate: Aggregate
    window: str
    owner: str
    of: str | None = None
    delay_ms: int = 0

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
        if self.delay_ms and self.aggregate not in ("count", "frauds", "fraud_share"):
            raise BadDefinition(f"{self.aggregate} has no delayed form; count, frauds and fraud_share have one")

    @property
    def name(self) -> str:
        """For instance `device_orders_1h`, `ip_users_24h`, `merchant_fraud_share_7d_after_7d`."""
        what = f"{_plural(self.of)}" if self.of else _NAMES[self.aggregate]
        delay = f"_after_{_told(self.delay_ms)}" if self.delay_ms else ""
        return f"{self.entity}_{what}_{self.window}{delay}"

    @property
    def window_ms(self) -> int:
        """The window's length."""
        return WINDOWS_MS[self.window]

    @property
    def unit(self) -> str:
        """Of the values."""
        return _plural(self.of) if self.of else _UNITS[self.aggregate]

    @property
    def meaning(self) -> str:
        """How it is computed, in words."""
        delay = f" that ended {_told(self.delay_ms)} ago" if self.delay_ms else ""
        at = f"at the same {self.entity} in the {self.window}{delay}"
        if self.of:
            return f"distinct {_plural(self.of)} of the orders {at}, this one included"
        return _MEANINGS[self.aggregate].format(at=at)


def _plural(kind: str | None) -> str:
    kind = kind or ""
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _told(ms: int) -> str:
    for unit, length in (("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS)):
        if ms % length == 0:
            return f"{ms // length}{unit}"
    return f"{ms}ms"
