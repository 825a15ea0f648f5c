"""What a report says, counted over what was collected."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from heapq import nlargest
from typing import Final

from app.report.collected import Collected, JudgedOrder
from app.report.entities import Entity, EntityFigures, top_entities

SCORE_STEP: Final = 5
HIGHEST: Final = 100
TOP: Final = 15

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_STEPS_MS: Final = (_HOUR_MS, 6 * _HOUR_MS, _DAY_MS, 7 * _DAY_MS, 28 * _DAY_MS)
_MOST_STEPS: Final = 120


@dataclass
class RuleFigures:
    """Hits of a rule by mode, and what labels said of them."""

    hits: Counter[str] = field(default_factory=Counter)
    frauds: int = 0
    legitimate: int = 0

    @property
    def unlabelled(self) -> int:
        """Hits that no label speaks of."""
        return self.hits.total() - self.frauds - self.legitimate

    @property
    def precision(self) -> float | None:
        """The share of frauds among the hits that a label speaks of; None where none does."""
        known = self.frauds + self.legitimate
        return self.frauds / known if known else None


@dataclass
class Money:
    """Values of orders in major units of one currency."""

    orders: float = 0.0
    stopped: float = 0.0
    fraud_stopped: float = 0.0
    fraud_let_through: float = 0.0
    legitimate_stopped: float = 0.0


class Summary:
    """The figures of what was collected."""

    def __init__(self, collected: Collected) -> None:
        self.orders, self.alerts = collected.orders, collected.alerts
        self._labels, self._placed = collected.labels, collected.placed
        self.actions: Counter[str] = Counter(order.action for order in self.orders)
        self.unassessed = sum(order.score is None for order in self.orders)
        self.partial = sum(order.partial for order in self.orders)
        self.stopped = [order for order in self.orders if order.is_stopped]
        self.false_positives = [order for order in self.stopped if self.is_fraud(order) is False]
        self.missed = [order for order in self.orders if not order.is_stopped and self.is_fraud(order)]

    def is_fraud(self, order: JudgedOrder) -> bool | None:
        """What the latest label says; None where there is none."""
        return self._labels.get(order.order_id)

    def value(self, order: JudgedOrder) -> tuple[float, str] | None:
        """Value and currency; None where the order itself was not read."""
        placed = self._placed.get(order.order_id)
        return None if placed is None else (placed.value, placed.currency)

    @property
    def labelled(self) -> int:
        """Orders that a label speaks of."""
        return sum(order.order_id in self._labels for order in self.orders)

    @property
    def frauds(self) -> int:
        """Orders that turned out to be fraud."""
        return sum(self.is_fraud(order) is True for order in self.orders)

    @property
    def span(self) -> tuple[int, int] | None:
        """The times of the first and the last order, in ms; None without any."""
        times = [order.ts for order in self.orders]
        return (min(times), max(times)) if times else None

    @property
    def judges(self) -> list[str]:
        """Rulesets and models that judged the orders, those of most orders first."""
        rulesets = Counter(order.ruleset for order in self.orders)
        models = Counter(order.model for order in self.orders)
        return [name for name, _ in rulesets.most_common() + models.most_common()]

    def outcomes(self, orders: Iterable[JudgedOrder]) -> tuple[int, int, int]:
        """How many of ``orders`` labels call fraud, how many legitimate, and of how many there is no label."""
        said = Counter(self.is_fraud(order) for order in orders)
        return said[True], said[False], said[None]

    def volumes(self) -> list[tuple[int, int, int]]:
        """Of each hour (of each day or more, in a longer span): its start in ms, orders, and those stopped."""
        if self.span is None:
            return []
        first, last = self.span
        step = next((step for step in _STEPS_MS if (last - first) // step < _MOST_STEPS), _STEPS_MS[-1])
        orders = Counter(order.ts // step for order in self.orders)
        stopped = Counter(order.ts // step for order in self.stopped)
        return [(at * step, orders[at], stopped[at]) for at in range(first // step, last // step + 1)]

    def scores(self) -> list[tuple[int, int, int]]:
        """Of each range of scores: where it begins, orders, and those that turned out to be fraud."""
        scored = [(order.score // SCORE_STEP, order) for order in self.orders if order.score is not None]
        orders = Counter(step for step, _ in scored)
        frauds = Counter(step for step, order in scored if self.is_fraud(order))
        return [(step * SCORE_STEP, orders[step], frauds[step]) for step in range(HIGHEST // SCORE_STEP + 1)]

    def money(self) -> dict[str, Money]:
        """By currency, that of most orders first; of orders that were read themselves."""
        found: dict[str, Money] = {}
        counts = Counter[str]()
        for order in self.orders:
            if (said := self.value(order)) is not None:
                value, currency = said
                counts[currency] += 1
                _add(found.setdefault(currency, Money()), value, order.is_stopped, self.is_fraud(order))
        return {currency: found[currency] for currency, _ in counts.most_common()}

    def rules(self) -> dict[str, RuleFigures]:
        """The rules that held, those that held most often first."""
        found: dict[str, RuleFigures] = {}
        for order in self.orders:
            known = self.is_fraud(order)
            for rule, mode in order.rules:
                figures = found.setdefault(rule, RuleFigures())
                figures.hits[mode] += 1
                figures.frauds += known is True
                figures.legitimate += known is False
        return dict(sorted(found.items(), key=lambda item: -item[1].hits.total()))

    def entities(self) -> list[EntityFigures]:
        """Who and what had most orders stopped; users alone where the orders themselves were not read."""
        return list(
            top_entities(
                (
                    (("user", order.user_id), *self._entities(order)),
                    order.is_stopped,
                    self.is_fraud(order) is True,
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
                frauds[technique] += self.is_fraud(order) is True
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

    def worst(self, mistakes: Sequence[JudgedOrder]) -> list[JudgedOrder]:
        """Those of largest value, the latest first where it is equal or unknown."""
        return nlargest(TOP, mistakes, key=lambda order: ((self.value(order) or (0.0, ""))[0], order.ts))

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
            "judged_by": self.judges,
            "labelled": self.labelled,
            "frauds": self.frauds,
            "actions": dict(self.actions.most_common()),
            "stopped": {
                "orders": len(self.stopped),
                "precision": _rounded(self.precision),
                "recall": _rounded(self.recall),
                "false_positives": len(self.false_positives),
            },
            "partial": self.partial,
            "money": {currency: asdict(each) for currency, each in self.money().items()},
            "alerts": len(self.alerts),
            "entities": self._entity_figures(),
            "techniques": {
                technique: {"orders": orders, "stopped": stopped, "frauds": frauds}
                for technique, orders, stopped, frauds in self.techniques()
            },
            "rules": {
                rule: {"hits": each.hits.total(), "frauds": each.frauds, "legitimate": each.legitimate}
                for rule, each in self.rules().items()
            },
        }

    def _entities(self, order: JudgedOrder) -> Sequence[Entity]:
        placed = self._placed.get(order.order_id)
        return placed.entities if placed else ()

    def _entity_figures(self) -> dict[str, dict[str, dict[str, int]]]:
        found: dict[str, dict[str, dict[str, int]]] = {}
        for each in self.entities():
            counts = {"orders": each.orders, "stopped": each.stopped, "frauds": each.frauds}
            found.setdefault(each.kind, {})[each.id] = counts
        return found


def _add(money: Money, value: float, is_stopped: bool, is_fraud: bool | None) -> None:
    money.orders += value
    money.stopped += value * is_stopped
    money.fraud_stopped += value * (is_stopped and is_fraud is True)
    money.fraud_let_through += value * (not is_stopped and is_fraud is True)
    money.legitimate_stopped += value * (is_stopped and is_fraud is False)


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
