"""Small rulesets to build tests on."""

from typing import Any

import msgspec

from app.rules.book import RuleBook
from app.rules.compiling import compile_ruleset
from schemas.ruleset import Ruleset

THRESHOLDS = {"warn": 50, "verify": 60, "review": 65, "block": 75, "freeze": 99}


def rule(id_: str, when: str, score: float = 0.0, **more: object) -> dict[str, Any]:
    """A live rule whose reason is its id in capitals."""
    return {"id": id_, "when": when, "score": score, "reason": id_.upper(), "text": "", "owner": "risk"} | more


def ruleset(*rules: dict[str, Any], **more: object) -> Ruleset:
    """A ruleset with one policy."""
    policies = [{"id": "default", "thresholds": THRESHOLDS}]
    return msgspec.convert({"id": "test", "version": "1", "policies": policies, "rules": list(rules)} | more, Ruleset)


def book(*rules: dict[str, Any], **more: object) -> RuleBook:
    """The same, compiled."""
    return compile_ruleset(ruleset(*rules, **more))
