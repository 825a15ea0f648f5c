"""Watching what the models of a step are given and say, once it has said it.

Steps may be small and come often, so what they scored waits until there is enough of it to be sampled at once, or
until a window may end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.drift.windows import DriftLimits, Floats, Ints, Rows, Window, Windows
from app.effects import Drift, Effects, ScoredClicks, ScoredOrders
from app.models.runtime import IntentScorer, RiskScorer, distribution_of

_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)  # Fibonacci hashing (Knuth, TAOCP 6.4)
_MOST_WAITING = 512

Scored = TypeVar("Scored", ScoredClicks, ScoredOrders)
Number = TypeVar("Number", bound=np.generic)
Model = IntentScorer | RiskScorer


@dataclass(eq=False)
class _Watched(Generic[Scored]):
    """One version of a model: its windows, and what waits to be counted in by ``sampled``."""

    windows: Windows
    sampled: Callable[[Sequence[Scored], int], Rows]
    waiting: list[Scored] = field(default_factory=list)
    rows: int = 0

    def take(self, scored: Scored) -> list[Window]:
        if len(scored.users) == 0:
            return []
        self.waiting.append(scored)
        self.rows += len(scored.users)
        is_enough = self.rows >= _MOST_WAITING or self.windows.may_end(scored.partition, scored.ts)
        return self.count() if is_enough else []

    def count(self) -> list[Window]:
        waiting, self.waiting, self.rows = self.waiting, [], 0
        return self.windows.take(self.sampled(waiting, self.windows.limits.one_in)) if waiting else []

    def drop(self, partition: int) -> None:
        self.count()
        self.windows.drop(partition)


@dataclass(eq=False)
class DriftWatch:
    """The windows of the models in force; none of those that have no reference."""

    clicks: _Watched[ScoredClicks] | None = None
    orders: _Watched[ScoredOrders] | None = None

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer owned."""
        for watched in (self.clicks, self.orders):
            if watched is not None:
                watched.drop(partition)

    def look(self, effects: Effects, intent: IntentScorer, risk: RiskScorer, limits: DriftLimits) -> None:
        """Count in what a step scored; ``effects`` is told of the windows that it ends."""
        self.clicks = _watched(self.clicks, intent, limits, _of_clicks)
        self.orders = _watched(self.orders, risk, limits, _of_orders)
        if self.clicks is not None:
            _tell(effects, intent, limits, [window for part in effects.clicks for window in self.clicks.take(part)])
        if self.orders is not None:
            _tell(effects, risk, limits, [window for part in effects.orders for window in self.orders.take(part)])


def _watched(
    known: _Watched[Scored] | None,
    model: Model,
    limits: DriftLimits,
    sampled: Callable[[Sequence[Scored], int], Rows],
) -> _Watched[Scored] | None:
    """Of the version in force: ``known`` if it is the same, else empty windows."""
    distribution = distribution_of(model)
    if distribution is None or limits.window_ms == 0:
        return None
    if known is not None and known.windows.distribution is distribution and known.windows.limits is limits:
        return known
    return _Watched(Windows(distribution, limits), sampled)


def _tell(effects: Effects, model: Model, limits: DriftLimits, ended: Sequence[Window]) -> None:
    effects.drift += [Drift(model.name, model.version, window, limits.max_psi) for window in ended]


def _of_clicks(parts: Sequence[ScoredClicks], one_in: int) -> Rows:
    """A sample of the clicks, which falls the same in whatever step they come."""
    started_at = _joined([part.session_started_at for part in parts])
    chosen = _sample(_joined([part.ts for part in parts]), started_at, one_in)
    return _rows(parts, [part.purchase for part in parts], chosen)


def _of_orders(parts: Sequence[ScoredOrders], one_in: int) -> Rows:
    """All orders: they are few, in the order of processing."""
    order = np.concatenate([part.position + (number << 32) for number, part in enumerate(parts)]).argsort()
    return _rows(parts, [part.probability for part in parts], order)


def _rows(parts: Sequence[Scored], scores: Sequence[Floats], chosen: Ints) -> Rows:
    """The rows of all parts at the places ``chosen``; what another version said of them is left out."""
    users = [user for part in parts for user in part.users]
    own = [_own(part, said) for part, said in zip(parts, scores, strict=True)]
    return Rows(
        _joined([part.partition for part in parts])[chosen],
        [users[place] for place in chosen.tolist()],
        _joined([part.ts for part in parts])[chosen],
        _joined([part.features for part in parts])[chosen],
        _joined(own)[chosen],
    )


def _joined(columns: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """One after the other; a single one is not copied."""
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _own(scored: ScoredClicks | ScoredOrders, scores: Floats) -> Floats:
    others = scored.tried.by_others
    return scores if others is None else np.where(others, np.float32(np.nan), scores)


def _sample(ts: Ints, started_at: Ints, one_in: int) -> Ints:
    """Places of about one in ``one_in`` of the clicks [n] at these times, in sessions begun at those."""
    hashes = (ts + started_at).view(np.uint64) * _GOLDEN
    return np.flatnonzero(hashes < np.uint64((1 << 64) // one_in - 1))
