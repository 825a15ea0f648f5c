"""Decisions: orders and labels of all users in the order of their partitions, one after the other.

What a decision depends on besides its order is little and bounded: the user's standing, and how often the partition's
orders have met each rule.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple
from uuid import UUID

from xxhash import xxh3_64_intdigest

from app.effects import Lift, RaisedAlert, Verdict
from app.rules.book import SEVERITY, RuleBook
from app.rules.catalogue import OrderColumns
from app.rules.deciding import Judged, judged
from app.rules.policy import LIFT_POLICY, decision_id, risk_level
from app.rules.ready import ReadyRule
from app.state.columns import UserTable
from app.state.flow import Flow
from app.state.standing import NO_DECISION, Standing
from schemas.events import InputEvent, Label, Order
from schemas.outputs import Severity

_BY_MODEL: Final = "MODEL_SCORE"
_LEGITIMATE: Final = "legitimate"
_TOLD_AT: Final = frozenset({1, 10, 100, 1_000, 10_000, 100_000, 1_000_000})
"""The sizes at which a group of alerts is told again."""


class Turn(NamedTuple):
    """An order or a label in its turn.

    ``position`` is its place in the step's processing order, ``slot`` and ``row`` are those of its user, ``limit`` is
    the latest time (ms) that is taken for true at it.
    """

    event: InputEvent
    partition: int
    position: int
    slot: int
    row: int
    limit: int
    trace: bytes | None


@dataclass(frozen=True, slots=True)
class Decided:
    """The verdicts on the orders, in the order they were given in, and the freezes that labels ended, in their own."""

    verdicts: list[Verdict]
    lifts: list[Lift]


class Decider:
    """Decides on the orders of a step.

    Args:
        book: the ruleset in force.
        columns: of the orders.
        table: has the users' standings.
        frozen_at: when each user was frozen, ms, 0 for those that are not; it changes in place.
        flows: of the partitions; those that have none yet get one.
    """

    def __init__(
        self, book: RuleBook, columns: OrderColumns, table: UserTable, frozen_at: list[int], flows: dict[int, Flow]
    ) -> None:
        self.frozen_at = frozen_at
        self._book = book
        self._findings = book.findings(columns)
        self._scores = [None if math.isnan(score) else int(score) for score in columns.score.tolist()]
        self._table = table
        self._flows = flows

    def decide(self, turns: Sequence[Turn]) -> Decided:
        """Let each have its turn by position; the orders among ``turns`` are those of the columns, in their order."""
        orders = accumulate((isinstance(turn.event, Order) for turn in turns), initial=0)
        found: dict[int, Verdict] = {}
        lifts = []
        for place, turn in sorted(zip(orders, turns, strict=False), key=lambda pair: pair[1].position):
            if isinstance(turn.event, Order):
                found[place] = self._verdict(turn, turn.event, place)
            elif isinstance(turn.event, Label) and turn.event.label == _LEGITIMATE:
                lifts.append(self._lift(turn, turn.event))
        return Decided([found[place] for place in sorted(found)], [lift for lift in lifts if lift is not None])

    def _verdict(self, turn: Turn, order: Order, place: int) -> Verdict:
        flow = self._flows.setdefault(turn.partition, Flow())
        alerts = self._guarded(flow, turn, place)
        is_frozen = self.frozen_at[turn.row] > 0
        found = judged(self._book, self._findings, place, self._scores[place], flow.shadowed, is_frozen)
        policy = self._book.policies[found.policy]
        standing = self._table.standing(turn.slot)
        decision = decision_id(order.event_id, policy.policy.id)
        supersedes = _replaced(standing, order, decision)
        alerts += self._alerts(flow, standing, turn, found)
        holds = policy.expires_ms if found.action != "freeze" else None
        return Verdict(
            score=found.score,
            level=risk_level(found.score),
            action=found.action,
            policy=policy.policy.id,
            decision_id=str(decision),
            supersedes=supersedes,
            expires_at=None if holds is None else order.ts + holds,
            account=self._freeze(standing, turn, order, policy.policy.id) if found.action == "freeze" else None,
            hits=found.hits,
            reasons=found.reasons,
            acting=found.acting,
            is_explained=found.score is not None and found.score >= policy.policy.watch,
            alerts=alerts,
        )

    def _lift(self, turn: Turn, label: Label) -> Lift | None:
        """End a freeze, if the label speaks of it: it names no order, or the one that brought it about."""
        if not self.frozen_at[turn.row]:
            return None
        standing = self._table.standing(turn.slot)
        if label.order_id is not None and _hash(label.order_id) != standing.freezer:
            return None
        self.frozen_at[turn.row] = 0
        superseded, standing.freeze, standing.freezer = _text(standing.freeze), NO_DECISION, 0
        made = str(decision_id(label.event_id, LIFT_POLICY))
        user = self._table.users[turn.slot]
        return Lift(turn.partition, turn.position, user, label.ts, label.event_id, made, superseded, turn.trace)

    def _freeze(self, standing: Standing, turn: Turn, order: Order, policy: str) -> str | None:
        """Freeze the account; the id of that decision, None if it is frozen already."""
        if self.frozen_at[turn.row]:
            return None
        made = decision_id(order.event_id, f"{policy}/account")
        self.frozen_at[turn.row] = order.ts
        standing.freeze, standing.freezer = made.bytes, _hash(order.order_id)
        return str(made)

    def _guarded(self, flow: Flow, turn: Turn, place: int) -> list[RaisedAlert]:
        """Count the order and the rules that it meets; tells of those that met too many."""
        guard = self._book.ruleset.guard
        flow.next_order(guard.orders, self._book.keys)
        raised = []
        for number in self._findings.rules[place]:
            ready = self._book.rules[number]
            share = guard.max_share if ready.rule.max_share is None else ready.rule.max_share
            is_counted = ready.rule.mode == "live" and ready.key not in flow.shadowed
            if is_counted and flow.hit(ready.key, turn.event.ts, share * guard.orders):
                raised.append(flooding(ready, share, flow, turn.partition, turn.event.ts))
        return raised

    def _alerts(self, flow: Flow, standing: Standing, turn: Turn, found: Judged) -> list[RaisedAlert]:
        """The alert of the order, unless it is one of many alike."""
        alerts, window, ts = self._book.ruleset.alerts, self._book.window_ms, turn.event.ts
        if SEVERITY[found.action] < SEVERITY[alerts.from_action] and not found.watched:
            return []
        code = found.reasons[0].code if found.reasons else _BY_MODEL
        group = standing.group(_hash(code), ts, window, turn.limit + window)
        if group is None or group.count not in _TOLD_AT or not flow.may_alert(ts - ts % window, alerts.most):
            return []
        user = self._table.users[turn.slot]
        key = f"risk:user:{user}:{code}:{group.until - window}"
        title, severity = _TITLES[found.action], _severity(found)
        return [RaisedAlert("risk", key, severity, title, ("user", user), group.count, group.first, ts, code)]


_TITLES: Final = {
    "allow": "An order of a watched subject was allowed",
    "warn": "An order was allowed with a warning",
    "verify": "An order was sent to verification",
    "review": "An order was sent to review",
    "block": "An order was blocked",
    "freeze": "An account was frozen",
}


def _severity(found: Judged) -> Severity:
    if SEVERITY[found.action] >= SEVERITY["block"]:
        return "critical"
    return "warning" if SEVERITY[found.action] >= SEVERITY["verify"] else "info"


def flooding(ready: ReadyRule, share: float, flow: Flow, partition: int, ts: int) -> RaisedAlert:
    """The alert that a rule has met too many and is in shadow from now on."""
    rule = ready.rule
    key = f"pipeline:rule:{ready.key}:{partition}:{ts}"
    title = f"Rule {rule.id} met more than {share:.0%} of the {rule.on}s and was put in shadow"
    return RaisedAlert("pipeline", key, "warning", title, ("rule", rule.id), flow.hits[ready.key], ts, ts, rule.reason)


def _replaced(standing: Standing, order: Order, decision: UUID) -> str | None:
    """Note the latest decision; the one before, if it was about the same order."""
    number = _hash(order.order_id)
    before = _text(standing.latest) if standing.order == number else None
    standing.order, standing.latest = number, decision.bytes
    return before


def _hash(text: str) -> int:
    return xxh3_64_intdigest(text.encode())


def _text(decision: bytes) -> str | None:
    return None if decision == NO_DECISION else str(UUID(bytes=decision))
