"""Watching what the models of a step are given and say, once it has said it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.drift.windows import DriftLimits, Ints, Rows, Windows
from app.effects import Drift, Effects, ScoredClicks, ScoredOrders
from app.models.runtime import IntentScorer, RiskScorer, distribution_of

_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)  # Fibonacci hashing (Knuth, TAOCP 6.4)
_SESSION = np.int64(0x2545_F491_4F6C_DD1D)
_HIGH_BITS = np.uint64(44)
_HASHES = 1 << 20


@dataclass(eq=False)
class DriftWatch:
    """The windows of the models in force, by model name; none of those that have no reference."""

    windows: dict[str, tuple[str, Windows]] = field(default_factory=dict)

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer owned."""
        for _, windows in self.windows.values():
            windows.drop(partition)

    def look(self, effects: Effects, intent: IntentScorer, risk: RiskScorer, limits: DriftLimits) -> None:
        """Count in what a step scored; ``effects`` is told of the windows that it ends."""
        if (windows := self._windows(intent, limits)) is not None:
            self._take(intent, windows, [_of_clicks(clicks, limits.one_in) for clicks in effects.clicks], effects)
        if (windows := self._windows(risk, limits)) is not None:
            self._take(risk, windows, [_of_orders(orders) for orders in effects.orders], effects)

    def _take(
        self, model: IntentScorer | RiskScorer, windows: Windows, parts: Sequence[Rows], effects: Effects
    ) -> None:
        ended = [window for rows in parts for window in windows.take(rows)]
        effects.drift += [Drift(model.name, model.version, window, windows.limits.max_psi) for window in ended]

    def _windows(self, model: IntentScorer | RiskScorer, limits: DriftLimits) -> Windows | None:
        """Those of the version in force, which begin empty when another comes into force."""
        version, windows = self.windows.get(model.name, (None, None))
        if windows is None or version != model.version or windows.limits is not limits:
            distribution = distribution_of(model)
            if distribution is None or limits.window_ms == 0:
                self.windows.pop(model.name, None)
                return None
            windows = Windows(distribution, limits)
            self.windows[model.name] = model.version, windows
        return windows


def _of_clicks(clicks: ScoredClicks, one_in: int) -> Rows:
    """A sample of the clicks, which falls the same in whatever step they come."""
    chosen = _sample(clicks.ts + clicks.session_events, clicks.session_started_at, one_in)
    scores = clicks.purchase[chosen]
    if (others := clicks.tried.by_others) is not None:
        scores = np.where(others[chosen], np.float32(np.nan), scores)
    users = [clicks.users[row] for row in chosen.tolist()]
    return Rows(clicks.partition[chosen], users, clicks.ts[chosen], clicks.features[chosen], scores)


def _of_orders(orders: ScoredOrders) -> Rows:
    """All of them: they are few, in the order of processing."""
    order = np.argsort(orders.position, kind="stable")
    scores = orders.probability[order]
    if (others := orders.tried.by_others) is not None:
        scores = np.where(others[order], np.float32(np.nan), scores)
    users = [orders.users[row] for row in order.tolist()]
    return Rows(orders.partition[order], users, orders.ts[order], orders.features[order], scores)


def _sample(first: Ints, second: Ints, one_in: int) -> Ints:
    """Places of about one in ``one_in`` of the pairs [n]."""
    hashes = ((first + second * _SESSION).view(np.uint64) * _GOLDEN) >> _HIGH_BITS
    return np.flatnonzero(hashes < _HASHES // one_in)
