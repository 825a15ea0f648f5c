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
from app.rules.book import RuleBook
from app.rules.catalogue import OrderColumns
from app.rules.deciding import judged
from app.rules.policy import LIFT_POLICY, decision_id, risk_level
from app.scoring.alerting import OrderAlerts, Remembered, flooding
from app.state.columns import UserTable
from app.state.flow import Flow
from app.state.standing import NO_DECISION, Standing
from schemas.events import InputEvent, Label, Order

_LEGITIMATE: Final = "legitimate"


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
        self._alerts = OrderAlerts(book, columns)
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
        remembered = Remembered(standing, flow, turn.limit)
        alerts += self._alerts.of(place, self._table.users[turn.slot], found, remembered)
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
