"""What is remembered of the orders of one partition, or of its sessions: how often rules fire, which are in shadow, how
many alerts, and which are about entities.

It is counted in the order of the partition, and stored with it: so the same orders give the same decisions after a
restart, on any number of workers, live and replayed. With another number of partitions they are other orders.
"""

from dataclasses import dataclass, field
from typing import Final

from app.state.alert_groups import AlertGroup, open_group

MOST_GROUPS: Final = 256
"""Alerts about entities that a partition raises in one window, at most."""


@dataclass(slots=True)
class Flow:
    """``orders`` (or sessions) so far of the block that rules are counted over, and ``hits`` in it by rule and version;
    ``shadowed`` tells when (ms of event time) such a one was put in shadow; ``alerts`` are those of the window that
    began at ``window`` ms. ``groups`` are alerts about entities, whose orders are those of many users."""

    orders: int = 0
    hits: dict[str, int] = field(default_factory=dict)
    shadowed: dict[str, int] = field(default_factory=dict)
    window: int = 0
    alerts: int = 0
    groups: list[AlertGroup] = field(default_factory=list)

    def next_orders(self, count: int, block: int, known: frozenset[str]) -> None:
        """The same as to count ``count`` in, one after the other."""
        if count > 0:
            before = min(self.orders, block)
            if before + count > block:
                self.orders = block
                self.next_order(block, known)
            self.orders = (before + count - 1) % block + 1

    def next_order(self, block: int, known: frozenset[str]) -> None:
        """Count an order, or a session, in; after ``block`` of them the counts begin anew, for the rules that are
        ``known``."""
        if self.orders >= block:
            self.orders = 0
            self.hits.clear()
            self.shadowed = {key: since for key, since in self.shadowed.items() if key in known}
        self.orders += 1

    def hit(self, key: str, ts: int, most: float) -> bool:
        """Count a hit of a rule; tells whether it is one too many, from which on the rule is in shadow."""
        self.hits[key] = self.hits.get(key, 0) + 1
        if self.hits[key] <= most:
            return False
        self.shadowed[key] = ts
        return True

    def group(self, key: int, ts: int, window_ms: int, limit: int) -> AlertGroup | None:
        """See `open_group`; ``key`` is a hash of an entity and a reason."""
        return open_group(self.groups, key, ts, window_ms, limit, MOST_GROUPS)

    def may_alert(self, window: int, most: int) -> bool:
        """Count an alert of the window that begins at ``window`` ms; False beyond the ``most`` that may be."""
        if window != self.window:
            self.window, self.alerts = window, 0
        self.alerts += 1
        return self.alerts <= most
