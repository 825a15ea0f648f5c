"""What a report says, counted while events are read once."""

from collections import Counter
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Final

from app.rules.book import SEVERITY
from schemas.events import Label
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
class Order:
    """What a report remembers of a judged order."""

    order_id: str
    user_id: str
    ts: int
    score: int | None
    action: Action
    rules: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]

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
    """Orders and alerts of a span, and all that labels said, by order."""

    span: Span
    orders: list[Order] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    labels: dict[str, bool] = field(default_factory=dict)

    def take(self, event: RiskEvent | Alert | Label) -> None:
        """Note an event; the latest of several labels of one order counts."""
        if isinstance(event, Label):
            if event.order_id is not None:
                self.labels[event.order_id] = event.label != "legitimate"
        elif self.span.holds(event.ts):
            if isinstance(event, Alert):
                self.alerts.append(event)
            else:
                self.orders.append(_order(event))


class Summary:
    """The figures of what was collected."""

    def __init__(self, collected: Collected) -> None:
        self.orders, self.alerts, self._labels = collected.orders, collected.alerts, collected.labels
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

    def users(self) -> list[tuple[str, int]]:
        """Who had most orders stopped."""
        return Counter(order.user_id for order in self.stopped).most_common(TOP)

    def subjects(self) -> list[tuple[str, int]]:
        """What most alerts were about, by the largest count of each."""
        found: Counter[str] = Counter()
        for alert in self.alerts:
            name = f"{alert.subject.type} {alert.subject.id}"
            found[name] = max(found[name], alert.count)
        return found.most_common(TOP)

    def worst_mistakes(self) -> list[Order]:
        """The genuine orders that were stopped with the highest scores."""
        return nlargest(TOP, self.false_positives, key=lambda order: order.score or 0)

    def figures(self) -> dict[str, object]:
        """The same for programs."""
        caught = sum(bool(self._labels.get(order.order_id)) for order in self.stopped)
        judged = caught + len(self.false_positives)
        return {
            "orders": len(self.orders),
            "labelled": self.labelled,
            "frauds": self.frauds,
            "actions": dict(self.actions.most_common()),
            "stopped": {
                "orders": len(self.stopped),
                "precision": round(caught / judged, 4) if judged else None,
                "recall": round(caught / self.frauds, 4) if self.frauds else None,
                "false_positives": len(self.false_positives),
            },
            "alerts": len(self.alerts),
            "rules": {
                rule: {"hits": each.hits.total(), "frauds": each.frauds, "genuine": each.genuine}
                for rule, each in self.rules().items()
            },
        }


def _order(event: RiskEvent) -> Order:
    return Order(
        event.order_id,
        event.user_id,
        event.ts,
        event.risk_score,
        event.decision.action,
        tuple((hit.id, str(hit.mode)) for hit in event.rules),
        tuple(reason.text for reason in event.reasons),
    )
