"""What a step yields: scored clicks and orders, closed sessions, rejected records and changed rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.events.decode import Rejected
from app.state.columns import Change
from schemas.events import Click, Order
from schemas.outputs import Action, RiskLevel


@dataclass(frozen=True, slots=True, eq=False)
class ScoredClicks:
    """Clicks [n] with what the intent model said of them, in processing order.

    ``position`` is the place in the step's processing order, ``cart`` is in 1e-4 of the major unit, ``intent`` the
    column of the most probable intent, ``session_ids`` the session of each click. ``canary`` marks those that the
    canary scored; ``shadow`` and ``shadow_intent`` are what the shadow would have said (NaN and -1: not asked).
    """

    clicks: list[Click]
    users: list[str]
    partition: NDArray[np.int32]
    position: NDArray[np.int64]
    traces: list[bytes | None] | None
    ts: NDArray[np.int64]
    type: NDArray[np.int64]
    session_ids: list[str]
    session_started_at: NDArray[np.int64]
    session_events: NDArray[np.int64]
    cart: NDArray[np.int64]
    features: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    purchase: NDArray[np.float32]
    intent: NDArray[np.int64]
    canary: NDArray[np.bool_] | None = None
    shadow: NDArray[np.float32] | None = None
    shadow_intent: NDArray[np.int64] | None = None

    @property
    def event_ids(self) -> list[str]:
        """The clicks' event ids."""
        return [click.event_id for click in self.clicks]

    def where(self, keep: NDArray[np.bool_]) -> "ScoredClicks":
        """The clicks that ``keep`` [n] marks."""
        kept: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, column in kept.items():
            if column is not None:
                kept[name] = column[keep] if isinstance(column, np.ndarray) else list(compress(column, keep))
        return ScoredClicks(**kept)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about one order; ``score`` is None when the model gave no number."""

    score: int | None
    level: RiskLevel
    action: Action
    alert_window: int | None  # start in ms of the window whose alert this order raises


@dataclass(frozen=True, slots=True, eq=False)
class ScoredOrders:
    """Orders [m] with what the risk model and the policy said of them, sorted by user, then by processing order."""

    orders: list[Order]
    users: list[str]
    partition: NDArray[np.int32]
    position: NDArray[np.int64]
    traces: list[bytes | None] | None
    late: NDArray[np.bool_]
    ts: NDArray[np.int64]
    features: NDArray[np.float32]
    probability: NDArray[np.float32]
    contributions: NDArray[np.float32]
    verdicts: list[Verdict]
    canary: NDArray[np.bool_] | None = None
    shadow: NDArray[np.float32] | None = None

    @property
    def event_ids(self) -> list[str]:
        """The orders' event ids."""
        return [order.event_id for order in self.orders]


@dataclass(frozen=True, slots=True)
class ClosedSession:
    """A session that is over."""

    partition: int
    user: str
    session_id: str
    last_event_id: str
    started_at: int
    ended_at: int
    events: int
    counts: Sequence[int]  # by click type
    cart: int
    path: Sequence[int]  # intent codes


@dataclass(eq=False)
class Effects:
    """Everything one step wants to happen. Nothing has happened yet but to the state in memory."""

    clicks: list[ScoredClicks] = field(default_factory=list)
    orders: list[ScoredOrders] = field(default_factory=list)
    closed: list[ClosedSession] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    duplicates: int = 0
    reread: int = 0
    late: dict[str, int] = field(default_factory=dict)
    expired: int = 0
