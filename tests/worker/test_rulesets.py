"""A worker's ruleset: what arrives takes over, what is wrong is refused, and the one before stays."""

import asyncio

import msgspec
from prometheus_client import CollectorRegistry

from app.ops.metrics import Metrics
from app.rules.book import RuleBook
from app.rules.policy import BUILT_IN
from app.rules.records import KEY, records
from app.worker.rulesets import Rulesets
from schemas.topics import RISK_EVENTS
from tests.harness import Worker, on, order
from tests.rules.rulesets import rule, ruleset


class Follower:
    """Rulesets whose changes are applied at once, and the rule books that took over."""

    def __init__(self, own: RuleBook = BUILT_IN) -> None:
        self.registry = CollectorRegistry()
        self.used: list[str] = []
        self.rulesets = Rulesets(own, lambda book: self.used.append(book.version), Metrics(self.registry))

    def take(self, changes: dict[bytes, bytes | None]) -> None:
        asyncio.run(self.rulesets.take(changes))

    def count(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("sluice_rulesets_total", {"outcome": outcome})


def sent(version: str, when: str = "true", entries: int = 0) -> dict[bytes, bytes | None]:
    lists = [{"name": "l", "entries": [f"{version} {number}" for number in range(entries)]}]
    return {**records(ruleset(rule("a", when), version=version, lists=lists), 1, "")}


def test_a_ruleset_takes_over_and_a_wrong_one_is_refused_with_the_reason() -> None:
    follower = Follower()
    follower.take(sent("1"))
    follower.take(sent("2", "valeu > 1"))
    assert follower.used == ["test/1"]
    assert follower.rulesets.book.version == "test/1"
    refused = follower.rulesets.refused
    assert refused is not None
    assert refused.version == "test/2"
    assert "rules[0] a: when, column 1: there is no field 'valeu'" in refused.reason
    follower.take(sent("3", "value > 1"))
    assert follower.used == ["test/1", "test/3"]
    assert follower.rulesets.refused is None
    assert (follower.count("accepted"), follower.count("refused")) == (2, 1)


def test_bytes_that_are_no_ruleset_are_refused() -> None:
    follower = Follower()
    for value in (b"", b"{", b"[]", b'{"changed_at": "now"}', msgspec.json.encode({"changed_at": 1, "ruleset": 7})):
        follower.take({KEY: value})
        assert follower.rulesets.refused is not None
        assert follower.rulesets.refused.version == "unreadable"
    assert follower.used == []
    assert follower.rulesets.book is BUILT_IN


def test_a_ruleset_is_in_force_when_the_last_part_of_its_lists_is_there() -> None:
    follower = Follower()
    made = sent("1", entries=300)
    part = next(iter(made))
    follower.take({KEY: made[KEY]})
    assert follower.rulesets.refused is not None
    follower.take({part: made[part]})
    assert follower.used == ["test/1"]
    assert follower.rulesets.refused is None


def test_the_same_ruleset_again_changes_nothing_and_without_any_the_workers_own_is_in_force() -> None:
    follower = Follower()
    follower.take(sent("1"))
    follower.take(sent("1"))
    assert follower.used == ["test/1"]
    follower.take({KEY: None})
    assert follower.used == ["test/1", BUILT_IN.version]


def test_a_ruleset_takes_over_between_two_steps() -> None:
    worker = Worker()
    follower = Rulesets(BUILT_IN, worker.pipeline.use_rules, Metrics(CollectorRegistry()))
    (before,) = on(RISK_EVENTS, worker.run(order("u", 0, "a")))
    asyncio.run(follower.take(sent("7")))
    (after,) = on(RISK_EVENTS, worker.run(order("u", 1, "b")))
    assert (before.body["ruleset_version"], after.body["ruleset_version"]) == (BUILT_IN.version, "test/7")
    assert (before.body["rules"], len(after.body["rules"])) == ([], 1)
