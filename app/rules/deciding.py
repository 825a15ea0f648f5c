"""From what holds for an order to its score, its action, and why.

The score is the model's plus the points of the live rules and of the lists that hold, within 0 and 100 and rounded
down; what a list counts for where it has no score of its own is shown in it, and thresholds do not look at that, since
such a list acts by itself. Of what follows from the score, from rules and from lists, the strictest action is taken; an
allow list sets all that aside, and a freeze in force sets aside the allow list.
"""

import math
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from app.rules.book import SEVERITY, Findings, ReadyList, RuleBook
from app.rules.ready import ReadyRule
from schemas.outputs import Action, Reason, RuleHit, RuleMode

FROZEN: Final = "ACCOUNT_FROZEN"

_LIST_POINTS: Final = {"allow": -100.0, "block": 100.0, "watch": 0.0}
_LIST_ACTIONS: Final[dict[str, Action]] = {"block": "block"}
_LIST_TEXTS: Final = {"allow": "on an allow list", "block": "on a block list", "watch": "on a watch list"}
_NOTHING: Final = frozenset[str]()
_FROZEN_REASON: Final = Reason(FROZEN, "rule", 100.0, "The account is frozen until somebody lifts it.")


class Judged(NamedTuple):
    """An order's score (None if the model gave none), what is to be done, and the reasons, strongest first.

    ``acting`` are the codes of the reasons that brought that about by themselves, and not by points. ``leading`` is the
    rule of the strongest reason, None where that is no rule's.
    """

    score: int | None
    action: Action
    policy: int
    hits: list[RuleHit]
    reasons: list[Reason]
    acting: frozenset[str]
    watched: bool
    leading: ReadyRule | None


def judged(
    book: RuleBook,
    findings: Findings,
    place: int,
    model_score: int | None,
    shadowed: Collection[str],
    is_frozen: bool,
) -> Judged:
    """What becomes of the order at ``place``.

    Args:
        book: the ruleset.
        findings: what holds for the batch's orders.
        place: of the order.
        model_score: 0 to 100, None if the model gave none.
        shadowed: rules in their versions that are in shadow for firing too often.
        is_frozen: whether a freeze of the account is in force.
    """
    policy = findings.policies[place]
    if not (findings.rules[place] or findings.lists[place] or is_frozen):  # as most are
        return Judged(model_score, book.policies[policy].action(model_score), policy, [], [], _NOTHING, False, None)
    hits, by_rule, actions = _of_rules(book, findings, place, shadowed)
    reasons = [reason for _, reason in by_rule]
    lists = [book.lists[number] for number in findings.lists[place]]
    of_lists = [_list_reason(each, findings, place) for each in lists]
    counted = reasons + [reason for each, reason in zip(lists, of_lists, strict=True) if each.spec.score is not None]
    reasons += of_lists
    if is_frozen:
        reasons.append(_FROZEN_REASON)
    score = _score(model_score, reasons)
    kinds = {each.spec.kind for each in lists}
    asked = [asked for asked, _ in actions] + [_LIST_ACTIONS[kind] for kind in kinds if kind in _LIST_ACTIONS]
    asked.append(book.policies[policy].action(_score(model_score, counted)))
    action = "freeze" if is_frozen else "allow" if "allow" in kinds else max(asked, key=SEVERITY.__getitem__)
    acting = frozenset([*(code for of_it, code in actions if of_it == action), *(each.code for each in lists), FROZEN])
    reasons.sort(key=lambda reason: -abs(reason.contribution))
    leading = next((ready for ready, reason in by_rule if reason is reasons[0]), None)
    return Judged(score, action, policy, hits, reasons, acting, "watch" in kinds, leading)


def _of_rules(
    book: RuleBook, findings: Findings, place: int, shadowed: Collection[str]
) -> tuple[list[RuleHit], list[tuple[ReadyRule, Reason]], list[tuple[Action, str]]]:
    """Hits, the reasons of rules, and what rules ask for, with their codes."""
    hits: list[RuleHit] = []
    reasons: list[tuple[ReadyRule, Reason]] = []
    actions: list[tuple[Action, str]] = []
    for number in findings.rules[place]:
        ready = book.rules[number]
        rule = ready.rule
        is_live = rule.mode == "live" and ready.key not in shadowed
        mode: RuleMode = "live" if is_live else "shadow"
        hits.append(RuleHit(rule.id, rule.version, mode, rule.score))
        if is_live:
            feature, value = book.value(number, findings, place) or (None, None)
            text = _text(rule.text, book.explain(number, findings, place))
            reason = Reason(rule.reason, "rule", rule.score, text, feature, value, rule.technique)
            reasons.append((ready, reason))
            actions += [(rule.action, rule.reason)] if rule.action else []
    return hits, reasons, actions


def _text(said: str, why: str) -> str:
    return f"{said.rstrip('.')}: {why}" if said and why else said or why


def _list_reason(each: ReadyList, findings: Findings, place: int) -> Reason:
    spec = each.spec
    assert findings.evaluation is not None
    value = findings.evaluation.value(each.condition.args[0], place)
    field = str(spec.field)
    text = spec.text or f"{field.replace('_', ' ')} is {_LIST_TEXTS[spec.kind]}"
    points = spec.score if spec.score is not None else _LIST_POINTS[spec.kind]
    return Reason(each.code, "list", points, text, field, str(value))


def _score(model_score: int | None, reasons: Sequence[Reason]) -> int | None:
    if model_score is None:
        return None
    points = round(model_score + sum(reason.contribution for reason in reasons), 6)
    return min(max(math.floor(points), 0), 100)
