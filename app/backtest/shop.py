"""A backtest on the simulated shop, whose frauds are all known: what of each pattern is stopped."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from app.backtest.figures import STOPPING_FROM, figures
from app.backtest.judging import JudgedOrders, judge
from app.learning.labels import GOOD, OrderLabels
from app.ops.settings import Settings
from app.replay.recorded import RecordedBatch
from app.replay.shop import Shop
from app.replay.shop.shop import ALL_PATTERNS
from app.rules.book import RuleBook
from app.state.columns import Lifetimes
from app.training.progress import Reporter
from app.worker.run import load_models
from schemas.topics import CLICKSTREAM

_USERS, _EVENTS_PER_SECOND, _TERMINALS, _FRAUD_SHARE = 8_000, 0.25, 200, 0.02


class _OrderId(msgspec.Struct):
    order_id: str


class _SessionId(msgspec.Struct):
    session_id: str


class Truths:
    """The batches of a shop, noting the pattern of each fraud and which orders are none, and that of each session whose
    visit is such."""

    def __init__(self, shop: Shop) -> None:
        self.patterns: dict[str, str | None] = {}
        self.sessions: dict[str, str] = {}
        self._shop = shop

    def __iter__(self) -> Iterator[RecordedBatch]:
        decode, session = msgspec.json.Decoder(_OrderId).decode, msgspec.json.Decoder(_SessionId).decode
        for batch in self._shop:
            events = zip(batch.recorded.topics, batch.recorded.values, batch.truths, strict=True)
            for topic, value, truth in events:
                if truth.fraud is not None:
                    self.patterns[decode(value).order_id] = truth.pattern
                if truth.pattern is not None and topic == CLICKSTREAM:
                    self.sessions[session(value).session_id] = truth.pattern
            yield batch.recorded

    def labels(self) -> OrderLabels:
        """The truth as if labels told all of it."""
        return OrderLabels({order: "fraud" if pattern else GOOD for order, pattern in self.patterns.items()})


def backtested_on_shop(
    settings: Settings, book: RuleBook, events: int, seed: int, reporter: Reporter
) -> dict[str, Any]:
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
    done = reporter.stage(f"events under {book.version}, about", events)
    judged, _ = judge(truths, replace(load_models(settings), rules=book), lifetimes, done)
    found = figures(book.ruleset, judged, truths.labels())
    for rule, told in found["session_rules"].items():
        told |= session_quality({one.session_id for one in judged.met if one.hit.id == rule}, truths.sessions)
    return found | {"patterns": _patterns(judged, truths.patterns)}


def session_quality(met: Collection[str], patterns: Mapping[str, str]) -> dict[str, Any]:
    """How right a rule is about the sessions that ``met`` it, ``patterns`` being those of sessions that are fraud.

    The recall of each pattern is the share of its sessions that met the rule.
    """
    caught = Counter(patterns[session] for session in met if session in patterns)
    there = Counter(patterns.values())
    return {
        "precision": round(caught.total() / len(met), 4) if met else None,
        "recall": {pattern: round(count / there[pattern], 4) for pattern, count in caught.most_common()},
    }


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
