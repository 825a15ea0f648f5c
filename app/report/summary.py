"""What a report says, counted while events are read once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from heapq import nlargest
from typing import Final

from app.report.entities import Entity, EntityFigures, named_by, top_entities
from app.rules.book import SEVERITY
from schemas.events import Label, Order
from schemas.outputs import Action, Alert, RiskEvent

STOPPING_FROM: Final = SEVERITY["review"]
"""Orders are stopped from this severity on."""
SCORE_STEP: Final = 5
TOP: Final = 15

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_FEW_DAYS = 4


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
    """What a report remembers of a judged order."""

    order_id: str
    user_id: str
    ts: int
    score: int | None
    action: Action
    rules: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    techniques: tuple[str, ...]

    @property
    def is_stopped(self) -> bool:
        """Whether it waits for somebody or is blocked."""
        return SEVERITY[self.action] >= STOPPING_FROM


@dataclass
class RuleFigures:
    """Hits of a rule by mode, and what labels said of them."""

    hits: Counter[str] = field(default_factory=Counter)
    frauds: int = 0
    genuine: int = 0

    @property
    def precision(self) -> float | None:
        """The share of frauds among the hits that a label speaks of; None where none does."""
        known = self.frauds + self.genuine
        return self.frauds / known if known else None


@dataclass
class Collected:
    """Orders and alerts of a span, and all that labels said and orders named, by order."""

    span: Span
    orders: list[JudgedOrder] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    labels: dict[str, bool] = field(default_factory=dict)
    entities: dict[str, tuple[Entity, ...]] = field(default_factory=dict)
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
            self.entities[event.order_id] = named_by(event)
        elif event.event_id not in self._seen:
            self._seen.add(event.event_id)
            if isinstance(event, Alert):
                self.alerts.append(event)
            else:
                self.orders.append(_order(event))


class Summary:
    """The figures of what was collected."""

    def __init__(self, collected: Collected) -> None:
        self.orders, self.alerts, self._labels = collected.orders, collected.alerts, collected.labels
        self._entities = collected.entities
        self.actions: Counter[str] = Counter(order.action for order in self.orders)
        self.scores = Counter((order.score or 0) // SCORE_STEP for order in self.orders if order.score is not None)
        self.unassessed = sum(order.score is None for order in self.orders)
        self.stopped = [order for order in self.orders if order.is_stopped]
        self.false_positives = [order for order in self.stopped if self._labels.get(order.order_id) is False]
        self.missed = [order for order in self.orders if not order.is_stopped and self._labels.get(order.order_id)]

    @property
    def labelled(self) -> int:
        """Orders that a label speaks of."""
        return sum(order.order_id in self._labels for order in self.orders)

    @property
    def frauds(self) -> int:
        """Orders that turned out to be fraud."""
        return sum(self._labels.get(order.order_id, False) for order in self.orders)

    def volumes(self) -> list[tuple[int, int, int]]:
        """Of each hour (of each day, in a longer span): its start in ms, orders, and those stopped."""
        if not self.orders:
            return []
        first, last = min(order.ts for order in self.orders), max(order.ts for order in self.orders)
        step = _HOUR_MS if last - first < _FEW_DAYS * _DAY_MS else _DAY_MS
        orders = Counter(order.ts // step for order in self.orders)
        stopped = Counter(order.ts // step for order in self.stopped)
        return [(at * step, orders[at], stopped[at]) for at in range(first // step, last // step + 1)]

    def rules(self) -> dict[str, RuleFigures]:
        """The rules that held, those that held most often first."""
        found: dict[str, RuleFigures] = {}
        for order in self.orders:
            known = self._labels.get(order.order_id)
            for rule, mode in order.rules:
                figures = found.setdefault(rule, RuleFigures())
                figures.hits[mode] += 1
                figures.frauds += known is True
                figures.genuine += known is False
        return dict(sorted(found.items(), key=lambda item: -item[1].hits.total()))

    def entities(self) -> list[EntityFigures]:
        """Who and what had most orders stopped; users alone where the orders themselves were not read."""
        return list(
            top_entities(
                (
                    (("user", order.user_id), *self._entities.get(order.order_id, ())),
                    order.is_stopped,
                    self._labels.get(order.order_id, False),
                )
                for order in self.orders
            )
        )

    def techniques(self) -> list[tuple[str, int, int, int]]:
        """Each MITRE F3 technique that reasons name: its orders, those stopped, and those that were fraud."""
        orders, stopped, frauds = Counter[str](), Counter[str](), Counter[str]()
        for order in self.orders:
            for technique in order.techniques:
                orders[technique] += 1
                stopped[technique] += order.is_stopped
                frauds[technique] += self._labels.get(order.order_id, False)
        return [(each, count, stopped[each], frauds[each]) for each, count in orders.most_common()]

    def kinds_of_alerts(self) -> Sequence[tuple[tuple[str, str, str], int]]:
        """How many alerts there were of each kind, severity and strongest reason."""
        return Counter(
            (alert.kind, alert.severity, alert.reasons[0] if alert.reasons else "–") for alert in self.alerts
        ).most_common(TOP)

    def subjects(self) -> list[tuple[str, int]]:
        """What most alerts were about, by the largest count of each."""
        found: Counter[str] = Counter()
        for alert in self.alerts:
            name = f"{alert.subject.type} {alert.subject.id}"
            found[name] = max(found[name], alert.count)
        return found.most_common(TOP)

    def worst_mistakes(self) -> list[JudgedOrder]:
        """The genuine orders that were stopped with the highest scores."""
        return nlargest(TOP, self.false_positives, key=lambda order: order.score or 0)

    @property
    def precision(self) -> float | None:
        """The share of frauds among the stopped orders that a label speaks of; None where none does."""
        caught = self.frauds - len(self.missed)
        judged = caught + len(self.false_positives)
        return caught / judged if judged else None

    @property
    def recall(self) -> float | None:
        """The share of the frauds that was stopped; None where there were none."""
        return 1 - len(self.missed) / self.frauds if self.frauds else None

    def figures(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "orders": len(self.orders),
            "labelled": self.labelled,
            "frauds": self.frauds,
            "actions": dict(self.actions.most_common()),
            "stopped": {
                "orders": len(self.stopped),
                "precision": _rounded(self.precision),
                "recall": _rounded(self.recall),
                "false_positives": len(self.false_positives),
            },
            "alerts": len(self.alerts),
            "entities": [asdict(each) for each in self.entities()],
            "techniques": {
                technique: {"orders": orders, "stopped": stopped, "frauds": frauds}
                for technique, orders, stopped, frauds in self.techniques()
            },
            "rules": {
                rule: {"hits": each.hits.total(), "frauds": each.frauds, "genuine": each.genuine}
                for rule, each in self.rules().items()
            },
        }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _order(event: RiskEvent) -> JudgedOrder:
    return JudgedOrder(
        event.order_id,
        event.user_id,
        event.ts,
        event.risk_score,
        event.decision.action,
        tuple((hit.id, str(hit.mode)) for hit in event.rules),
        tuple(reason.text for reason in event.reasons),
        tuple({reason.technique: None for reason in event.reasons if reason.technique}),
    )
