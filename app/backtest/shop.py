"""A backtest on the simulated shop, whose frauds are all known: what of each pattern is stopped."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from app.backtest.figures import STOPPING_FROM, figures
from app.backtest.judging import JudgedOrders, Outcomes, judge
from app.ops.settings import Settings
from app.replay.recorded import RecordedBatch
from app.replay.shop import Shop
from app.replay.shop.shop import ALL_PATTERNS
from app.rules.book import RuleBook
from app.state.columns import Lifetimes
from app.worker.run import load_models

_USERS, _EVENTS_PER_SECOND, _TERMINALS, _FRAUD_SHARE = 8_000, 0.25, 200, 0.02


class _OrderId(msgspec.Struct):
    order_id: str


class Truths:
    """The batches of a shop, noting the pattern of each fraud and which orders are none."""

    def __init__(self, shop: Shop) -> None:
        self.patterns: dict[str, str | None] = {}
        self._shop = shop

    def __iter__(self) -> Iterator[RecordedBatch]:
        decode = msgspec.json.Decoder(_OrderId).decode
        for batch in self._shop:
            for value, truth in zip(batch.recorded.values, batch.truths, strict=True):
                if truth.fraud is not None:
                    self.patterns[decode(value).order_id] = truth.pattern
            yield batch.recorded

    def outcomes(self) -> Outcomes:
        """The truth as if labels told all of it."""
        return Outcomes({order: pattern is not None for order, pattern in self.patterns.items()})


def backtested_on_shop(settings: Settings, book: RuleBook, events: int, seed: int) -> dict[str, Any]:
    """What ``book`` would do in a shop of about so many events, with every fraud known.

    Raises:
        UsageProblem: a model is missing.
    """
    shop = Shop(
        seed,
        users=_USERS,
        events_per_second=_EVENTS_PER_SECOND,
        events=events,
        patterns=ALL_PATTERNS,
        fraud_share=_FRAUD_SHARE,
        terminals=_TERMINALS,
    )
    truths = Truths(shop)
    lifetimes = Lifetimes(settings.session_gap_ms, settings.history_ttl_ms, settings.grace_ms)
    judged, _ = judge(truths, replace(load_models(settings), rules=book), lifetimes, lambda _: None)
    return figures(book.ruleset, judged, truths.outcomes()) | {"patterns": _patterns(judged, truths.patterns)}


def _patterns(judged: JudgedOrders, patterns: dict[str, str | None]) -> dict[str, Any]:
    """Of each pattern its orders, the share of them that is stopped, and the rules that meet them."""
    orders, stopped, met = Counter[str](), Counter[str](), dict[str, Counter[str]]()
    for order, action, hits in zip(judged.ids, judged.action.tolist(), judged.hits, strict=True):
        if pattern := patterns[order]:
            orders[pattern] += 1
            stopped[pattern] += action >= STOPPING_FROM
            met.setdefault(pattern, Counter()).update(rule for rule, _ in hits)
    return {
        pattern: {
            "orders": count,
            "recall": round(stopped[pattern] / count, 4),
            "rules": dict(met[pattern].most_common()),
        }
        for pattern, count in orders.most_common()
    }
