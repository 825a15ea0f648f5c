"""Watching what the models of a step are given and say, once it has said it.

Steps may be small and come often, so what they scored waits until there is enough of it to be sampled at once, or
until a window may end. Only one partition is watched: its visitors were dealt out of all by the hash of their ids, so
they stand for all, and what moved is told once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.drift.distribution import Distribution
from app.drift.texts import TEXTS, text_columns
from app.drift.windows import DriftLimits, Floats, Ints, Rows, Window, Windows
from app.effects import Drift, Effects, ScoredClicks, ScoredOrders
from app.features.inputs import OrderInputs
from app.models.runtime import IntentScorer, RiskScorer, distribution_of

WATCHED: Final = 0
"""The partition."""

_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)  # Fibonacci hashing (Knuth, TAOCP 6.4)
_MOST_WAITING = 512

Scored = TypeVar("Scored", ScoredClicks, ScoredOrders)
Number = TypeVar("Number", bound=np.generic)


class Model(Protocol):
    """What is watched."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def version(self) -> str:
        """Its version."""
        ...


@dataclass(eq=False)
class _Watched(Generic[Scored]):
    """A ``model`` by name and version: its windows, and what waits to be counted in by ``sampled``."""

    model: tuple[str, str]
    windows: Windows
    sampled: Callable[[Sequence[Scored], int], Rows]
    waiting: list[Scored] = field(default_factory=list)
    rows: int = 0

    def take(self, parts: Sequence[Scored]) -> list[Drift]:
        """Count in what a step scored; tells how far off the windows are that it ends."""
        ended = [window for part in parts for window in self._take(part)]
        compared_with, max_psi = self.windows.distribution.compared_with, self.windows.limits.max_psi
        return [Drift(*self.model, window, compared_with, max_psi) for window in ended]

    def _take(self, scored: Scored) -> list[Window]:
        here = scored.ts[scored.partition == WATCHED]
        if len(here) == 0:
            return []
        self.waiting.append(scored)
        self.rows += len(here)
        if self.rows < _MOST_WAITING and not self.windows.may_end(here):
            return []
        waiting, self.waiting, self.rows = self.waiting, [], 0
        return self.windows.take(self.sampled(waiting, self.windows.limits.one_in))


@dataclass(eq=False)
class DriftWatch:
    """The windows of the models in force; none of those that have no reference."""

    clicks: _Watched[ScoredClicks] | None = None
    orders: _Watched[ScoredOrders] | None = None
    texts: _Watched[ScoredClicks] | None = None

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer owned."""
        if partition == WATCHED:
            self.clicks = self.orders = self.texts = None

    def look(
        self, effects: Effects, intent: IntentScorer, risk: RiskScorer, text: Model | None, limits: DriftLimits
    ) -> None:
        """Count in what a step scored; ``effects`` is told of the windows that it ends."""
        self.clicks = _watched(self.clicks, intent, distribution_of(intent), limits, _of_clicks)
        self.orders = _watched(self.orders, risk, distribution_of(risk), limits, partial(_of_orders, risk.inputs))
        self.texts = _watched(self.texts, text, TEXTS, limits, _of_texts)
        if self.clicks is not None:
            effects.drift += self.clicks.take(effects.clicks)
        if self.orders is not None:
            effects.drift += self.orders.take(effects.orders)
        if self.texts is not None:
            effects.drift += self.texts.take([part for part in effects.clicks if part.texts is not None])


def _watched(
    known: _Watched[Scored] | None,
    model: Model | None,
    distribution: Distribution | None,
    limits: DriftLimits,
    sampled: Callable[[Sequence[Scored], int], Rows],
) -> _Watched[Scored] | None:
    """Of the version in force: ``known`` if it is the same, else empty windows."""
    if model is None or distribution is None or limits.window_ms == 0:
        return None
    if known is not None and known.model == (model.name, model.version) and known.windows.limits is limits:
        return known
    return _Watched((model.name, model.version), Windows(distribution, limits), sampled)


def _of_clicks(parts: Sequence[ScoredClicks], one_in: int) -> Rows:
    """A sample of the clicks, which falls the same in whatever step they come."""
    ts, started_at = _joined([part.ts for part in parts]), _joined([part.session_started_at for part in parts])
    hashes = (ts + started_at).view(np.uint64) * _GOLDEN
    chosen = _is_here(parts) & (hashes < np.uint64((1 << 64) // one_in - 1))
    features = [part.features for part in parts]
    return _rows(parts, features, [part.purchase for part in parts], chosen.nonzero()[0])


def _of_orders(inputs: OrderInputs, parts: Sequence[ScoredOrders], one_in: int) -> Rows:
    """All orders: they are few, in the order of processing."""
    given = [inputs.of(part.features, part.joined) for part in parts]
    order = np.concatenate([part.position + (number << 32) for number, part in enumerate(parts)]).argsort()
    return _rows(parts, given, [part.probability for part in parts], order[_is_here(parts)[order]])


def _of_texts(parts: Sequence[ScoredClicks], one_in: int) -> Rows:
    """All clicks with words, and what was made of these."""
    texts = [text for part in parts for text in part.texts or []]
    spoken = np.array([text is not None for text in texts], np.bool_)
    chosen = (_is_here(parts) & spoken).nonzero()[0].tolist()
    users = [user for part in parts for user in part.users]
    features, scores = text_columns([text for place in chosen if (text := texts[place]) is not None])
    return Rows([users[place] for place in chosen], _joined([part.ts for part in parts])[chosen], features, scores)


def _is_here(parts: Sequence[Scored]) -> NDArray[np.bool_]:
    """Which rows of all parts are of the watched partition."""
    return np.asarray(_joined([part.partition for part in parts]) == WATCHED)


def _rows(parts: Sequence[Scored], features: Sequence[Floats], scores: Sequence[Floats], chosen: Ints) -> Rows:
    """The rows of all parts at the places ``chosen``; what another version said of them is left out."""
    users = [user for part in parts for user in part.users]
    own = [_own(part, said) for part, said in zip(parts, scores, strict=True)]
    return Rows(
        [users[place] for place in chosen.tolist()],
        _joined([part.ts for part in parts])[chosen],
        _joined(features)[chosen],
        _joined(own)[chosen],
    )


def _joined(columns: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """One after the other; a single one is not copied."""
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _own(scored: ScoredClicks | ScoredOrders, scores: Floats) -> Floats:
    others = scored.tried.by_others
    return scores if others is None else np.where(others, np.float32(np.nan), scores)
