"""The figures of a backtest: what each rule met and was right about, what was stopped, and what would change.

An order that no label speaks of counts as good. Money is the orders' value, by currency.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.backtest.judging import JudgedOrders
from app.effects import MetRule
from app.learning.labels import OrderLabels
from app.rules.book import SEVERITY
from schemas.outputs import ACTIONS
from schemas.ruleset import Ruleset

Flags = NDArray[np.bool_]
STOPPING_FROM: Final = SEVERITY["review"]
"""Orders are stopped from this severity on: they wait for somebody, or are blocked."""

_MOST_PAIRS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Which orders [m] were frauds, and their values [m], in major units of their currencies [m]."""

    fraud: Flags
    value: NDArray[np.float64]
    currency: NDArray[np.str_]

    def quality(self, flagged: Flags) -> dict[str, Any]:
        """How right it is to flag these orders [m]."""
        right = flagged & self.fraud
        frauds, count, caught = int(self.fraud.sum()), int(flagged.sum()), int(right.sum())
        return {
            "orders": count,
            "frauds": caught,
            "precision": round(caught / count, 4) if count else None,
            "recall": round(caught / frauds, 4) if frauds else None,
            "money": {"fraud": self.money(right), "good": self.money(flagged & ~self.fraud)},
        }

    def money(self, flagged: Flags) -> dict[str, float]:
        """The value of these orders [m], by currency."""
        value, currency = self.value[flagged], self.currency[flagged]
        return {str(one): round(float(value[currency == one].sum()), 2) for one in np.unique(currency)}


def truth_of(judged: JudgedOrders, labels: OrderLabels) -> Truth:
    """What turned out of the orders that were judged."""
    return Truth(np.array([labels.is_bad(order) for order in judged.ids], np.bool_), judged.value, judged.currency)


def figures(ruleset: Ruleset, judged: JudgedOrders, labels: OrderLabels) -> dict[str, Any]:
    """What a ruleset did."""
    truth = truth_of(judged, labels)
    met = _met(judged.hits)
    return {
        "ruleset": f"{ruleset.id}/{ruleset.version}",
        "orders": len(judged.ids),
        "frauds": int(truth.fraud.sum()),
        "dead_letters": dict(judged.dead_letters),
        "labels": _labels(judged, labels),
        "actions": {action: int((judged.action == SEVERITY[action]).sum()) for action in ACTIONS},
        "stopped": _stopped(judged, truth),
        "rules": {
            rule.id: _rule(rule.id, rule.mode, met, judged, truth) for rule in ruleset.rules if rule.on == "order"
        },
        "session_rules": _session_rules(ruleset, judged.met),
        "overlap": _overlap(judged.hits),
        "put_in_shadow": judged.shadowed,
    }


def changes(old: JudgedOrders, new: JudgedOrders, labels: OrderLabels) -> dict[str, Any]:
    """What ``new`` would decide otherwise than ``old``, and whom it would cost or save what.

    Orders that only one of them has seen are left out: topics grow while they are read.
    """
    old, new = old.among(set(new.ids)), new.among(set(old.ids))
    truth = truth_of(new, labels)
    differs = old.action != new.action
    steps = Counter(zip(old.action[differs].tolist(), new.action[differs].tolist(), strict=True))
    was, is_ = old.action >= STOPPING_FROM, new.action >= STOPPING_FROM
    return {
        "orders": int(differs.sum()),
        "by_step": {
            f"{ACTIONS[before]} to {ACTIONS[after]}": truth.quality((old.action == before) & (new.action == after))
            for (before, after), _ in steps.most_common()
        },
        "newly_stopped": truth.quality(is_ & ~was),
        "no_longer_stopped": truth.quality(was & ~is_),
    }


def _stopped(judged: JudgedOrders, truth: Truth) -> dict[str, Any]:
    stopped = judged.action >= STOPPING_FROM
    return truth.quality(stopped) | {"missed": truth.money(~stopped & truth.fraud)}


def _met(hits: Sequence[tuple[tuple[str, str], ...]]) -> dict[str, list[int]]:
    """Which orders met each rule."""
    found: dict[str, list[int]] = {}
    for place, rules in enumerate(hits):
        for rule, _ in rules:
            found.setdefault(rule, []).append(place)
    return found


def _rule(rule: str, mode: str, met: Mapping[str, list[int]], judged: JudgedOrders, truth: Truth) -> dict[str, Any]:
    places = met.get(rule, [])
    flagged = np.zeros(len(judged.ids), np.bool_)
    flagged[places] = True
    alone = sum(len(judged.hits[place]) == 1 for place in places)
    return {"mode": mode} | truth.quality(flagged) | {"alone": alone}


def _session_rules(ruleset: Ruleset, met: Sequence[MetRule]) -> dict[str, Any]:
    """How many sessions met each rule on sessions."""
    counts = Counter(one.hit.id for one in met)
    return {rule.id: {"mode": rule.mode, "sessions": counts[rule.id]} for rule in ruleset.rules if rule.on == "session"}


def _overlap(hits: Sequence[tuple[tuple[str, str], ...]]) -> dict[str, int]:
    """The pairs of rules that met the same orders most often."""
    pairs = Counter(pair for rules in hits if len(rules) > 1 for pair in combinations([rule for rule, _ in rules], 2))
    return {f"{one} and {other}": count for (one, other), count in pairs.most_common(_MOST_PAIRS)}


def _labels(judged: JudgedOrders, labels: OrderLabels) -> dict[str, int]:
    return {
        "of_orders": len(labels.by_order),
        "of_unknown_orders": len(labels.by_order.keys() - set(judged.ids)),
        "without_order": labels.of_users,
        "repeated": labels.repeated,
        "contradicting": labels.contradicting,
    }
