"""What a report remembers of the events it reads once."""

from dataclasses import dataclass, field
from typing import Final

from app.report.entities import Entity, named_by
from app.rules.book import SEVERITY
from schemas.events import Label, Order
from schemas.outputs import Action, Alert, RiskEvent

STOPPING_FROM: Final = SEVERITY["review"]
"""Orders are stopped from this severity on."""


@dataclass(frozen=True, slots=True)
class Span:
    """Event time from ``start`` up to before ``end``, in ms."""

    start: int
    end: int

    def holds(self, ts: int) -> bool:
        """Whether a time lies within."""
        return self.start <= ts < self.end


@dataclass(frozen=True, slots=True)
class JudgedOrder:
    """What a report remembers of a judged order; ``ruleset`` and ``model`` are those that judged it, ``partial`` is
    whether they went without some velocities."""

    order_id: str
    user_id: str
    ts: int
    score: int | None
    action: Action
    rules: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    techniques: tuple[str, ...]
    ruleset: str
    model: str
    partial: bool

    @property
    def is_stopped(self) -> bool:
        """Whether it waits for somebody or is blocked."""
        return SEVERITY[self.action] >= STOPPING_FROM


@dataclass(frozen=True, slots=True)
class Placed:
    """What the order itself said: its entities besides its user, and its value in major units of ``currency``."""

    entities: tuple[Entity, ...]
    value: float
    currency: str


@dataclass
class Collected:
    """Orders and alerts of a span; by order id what labels said, bad or not, and what the order said itself."""

    span: Span
    orders: list[JudgedOrder] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    labels: dict[str, bool] = field(default_factory=dict)
    placed: dict[str, Placed] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def take(self, event: RiskEvent | Alert | Label | Order) -> None:
        """Note an event; the latest of several labels of one order counts, and an output that comes again once."""
        if isinstance(event, Label):
            if event.order_id is not None:
                self.labels[event.order_id] = event.label != "legitimate"
        elif self.span.holds(event.ts):
            self._note(event)

    def _note(self, event: RiskEvent | Alert | Order) -> None:
        if isinstance(event, Order):
            self.placed[event.order_id] = Placed(named_by(event), event.value, event.currency)
        elif event.event_id not in self._seen:
            self._seen.add(event.event_id)
            if isinstance(event, Alert):
                self.alerts.append(event)
            else:
                self.orders.append(_judged(event))


def _judged(event: RiskEvent) -> JudgedOrder:
    return JudgedOrder(
        event.order_id,
        event.user_id,
        event.ts,
        event.risk_score,
        event.decision.action,
        tuple((hit.id, str(hit.mode)) for hit in event.rules),
        tuple(reason.text for reason in event.reasons),
        tuple({reason.technique: None for reason in event.reasons if reason.technique}),
        event.ruleset_version,
        f"{event.model.name}/{event.model.version}",
        bool(event.partial),
    )
