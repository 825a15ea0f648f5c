"""What a step yields: scored clicks and orders, closed sessions, rejected records and changed rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.drift.windows import Window
from app.events.decode import Rejected
from app.state.columns import Change
from app.text.recogniser import Understood
from app.velocity.joined import Joined
from schemas.events import Click, Order
from schemas.outputs import Action, AlertKind, AlertSubjectType, Reason, RiskLevel, RuleHit, Severity


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """Beside the scores of n rows: what the versions on trial had to do with them; see `app.models.trial`.

    ``canary`` marks the rows that the canary scored; ``shadow`` has what the shadow would have said, ``shadow_intent``
    the column of its most probable intent, ``replaced`` what the version that served before would have said. NaN or
    -1: it was not asked. ``stand_in`` marks the rows that this one scored in the place of the version that serves,
    which gave no number. None: there is no such version.
    """

    canary: NDArray[np.bool_] | None = None
    shadow: NDArray[np.float32] | None = None
    shadow_intent: NDArray[np.int64] | None = None
    replaced: NDArray[np.float32] | None = None
    stand_in: NDArray[np.bool_] | None = None

    @property
    def by_others(self) -> NDArray[np.bool_] | None:
        """Which rows another version than the one that serves scored; None: none."""
        if self.canary is None or self.stand_in is None:
            return self.canary if self.stand_in is None else self.stand_in
        return np.asarray(self.canary | self.stand_in)

    def at(self, places: NDArray[Any]) -> "Tried":
        """The same of some rows: a mask, or places in an order."""
        columns: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return Tried(**{name: None if column is None else column[places] for name, column in columns.items()})


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """What each input added to the log-odds of what is said of a click [answers, inputs], and what they have without
    [answers]: see `app.explain.contributions`."""

    added: NDArray[np.float64]
    base: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredClicks:
    """Clicks [n] with what the intent model said of them, in processing order.

    ``position`` is the place in the step's processing order, ``cart`` is in 1e-4 of the major unit, ``outlook`` has the
    columns of `app.models.outlook.OUTLOOK` (NaN: the model does not say), ``intent`` is the column of the most probable
    intent, ``session_ids`` the session of each click. ``texts`` is what was made of each click's words, None where no
    click has any; ``explained`` is why some were scored so, None where nobody asked.
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
    outlook: NDArray[np.float32]
    intent: NDArray[np.int64]
    tried: Tried = field(default_factory=Tried)
    texts: list[Understood | None] | None = None
    explained: list[Explained | None] | None = None

    @property
    def event_ids(self) -> list[str]:
        """The clicks' event ids."""
        return [click.event_id for click in self.clicks]

    def where(self, keep: NDArray[np.bool_]) -> "ScoredClicks":
        """The clicks that ``keep`` [n] marks."""
        kept: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, column in kept.items():
            if isinstance(column, Tried):
                kept[name] = column.at(keep)
            elif column is not None:
                kept[name] = column[keep] if isinstance(column, np.ndarray) else list(compress(column, keep))
        return ScoredClicks(**kept)


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """An alert that an order or a session raises; ``key`` is its dedupe key with its window, ``count`` how many it
    stands for, ``technique`` that of its reason's rule."""

    kind: AlertKind
    key: str
    severity: Severity
    title: str
    subject: tuple[AlertSubjectType, str]
    count: int
    first_ts: int
    last_ts: int
    reason: str
    technique: str | None = None


class Verdict(NamedTuple):
    """What was decided about one order.

    ``score`` is None when the model gave no number. ``supersedes`` is the decision about the same order before, and
    ``account`` that by which this order froze its account. ``reasons`` are those of rules and lists, strongest first,
    ``acting`` the codes of those that brought the action about by themselves; the model's are given where
    ``is_explained``.
    """

    score: int | None
    level: RiskLevel
    action: Action
    policy: str
    decision_id: str
    supersedes: str | None
    expires_at: int | None
    account: str | None
    hits: Sequence[RuleHit]
    reasons: Sequence[Reason]
    acting: frozenset[str]
    is_explained: bool
    alerts: Sequence[RaisedAlert]


@dataclass(frozen=True, slots=True)
class MetRule:
    """A rule that a session has met, at the click at which its condition held first.

    ``action`` is what is to be done about the session until ``expires_at`` (ms), None for nothing.
    """

    partition: int
    user: str
    session_id: str
    ts: int
    source_event_id: str
    trace: bytes | None
    hit: RuleHit
    reason: str
    technique: str | None
    action: Action | None
    expires_at: int | None
    alerts: Sequence[RaisedAlert]


@dataclass(frozen=True, slots=True)
class Lift:
    """A freeze that a label ended; ``superseded`` is the decision that it was.

    ``position`` is the label's place in the step's processing order.
    """

    partition: int
    position: int
    user: str
    ts: int
    source_event_id: str
    decision_id: str
    superseded: str | None
    trace: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class ScoredOrders:
    """Orders [m] with what the risk model and the policy said of them, sorted by user, then by processing order.

    ``lifts`` are the freezes that labels ended among them, in the order of processing. ``joined`` is what the orders
    were told of their entities; None where nobody asked. ``features`` are [m, G], ``contributions`` those of the inputs
    of the version that scored an order, and zeros after them.
    """

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
    lifts: Sequence[Lift]
    tried: Tried = field(default_factory=Tried)
    joined: Joined | None = None

    @property
    def event_ids(self) -> list[str]:
        """The orders' event ids."""
        return [order.event_id for order in self.orders]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the messages of a session said: how many there were (255 stands for more), what was wanted last, how
    satisfied their writer is (0 to 1), and the probability that the last one says the problem is solved."""

    messages: int
    wanted: str | None
    satisfied: float
    solved: float


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
    conversation: Conversation | None = None  # None without a message


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """How far what a version of a model was given in a window, and what it said, is from what it is ``compared_with``;
    an index above ``max_psi`` is too far."""

    model: str
    version: str
    window: Window
    compared_with: str
    max_psi: float


@dataclass(eq=False)
class Effects:
    """Everything one step wants to happen. Nothing has happened yet but to the state in memory."""

    clicks: list[ScoredClicks] = field(default_factory=list)
    orders: list[ScoredOrders] = field(default_factory=list)
    met: list[MetRule] = field(default_factory=list)
    closed: list[ClosedSession] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    duplicates: int = 0
    reread: int = 0
    late: dict[str, int] = field(default_factory=dict)
    expired: int = 0
