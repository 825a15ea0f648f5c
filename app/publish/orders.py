"""Risk events, decisions and alerts: what became of each order."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from app.effects import Lift, RaisedAlert, ScoredOrders, Verdict
from app.models.runtime import RiskScorer
from app.publish.alerts import alert, alert_id
from app.publish.judges import Judges
from app.publish.outgoing import Outgoing, cloud_events
from app.publish.reasons import named, order_reasons, techniques_of
from app.rules.policy import LIFT_POLICY
from schemas.outputs import (
    Alert,
    Decision,
    DecisionRef,
    Reason,
    RiskEvent,
    Subject,
)
from schemas.topics import ALERTS, DECISIONS, RISK_EVENTS


@dataclass
class _Column:
    """The records of one topic and partition while they are collected."""

    times: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    events: list[msgspec.Struct] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    traces: list[bytes | None] = field(default_factory=list)

    def add(self, ts: int, key: str, id_: str, event: msgspec.Struct, trace: bytes | None) -> None:
        self.times.append(ts)
        self.keys.append(key.encode())
        self.events.append(event)
        self.ids.append(id_)
        self.traces.append(trace)


@dataclass(frozen=True, slots=True)
class Makers:
    """What made the outputs about orders, and when (ms since the epoch)."""

    judges: Judges[RiskScorer]
    ruleset_version: str
    scored_at: int


def order_events(scored: ScoredOrders, makers: Makers, with_headers: bool) -> Iterator[Outgoing]:
    """The records that ``scored`` yields, by topic and partition, in processing order.

    A decision about an order that raises no alert and one that does are equally published: a blocker waits for both.
    """
    columns: defaultdict[tuple[str, int], _Column] = defaultdict(_Column)
    reasons = order_reasons(scored, makers.judges)
    turns: list[tuple[int, int, Lift | None]] = [
        (position, place, None) for place, position in enumerate(scored.position.tolist())
    ]
    turns += [(lift.position, 0, lift) for lift in scored.lifts]
    for _, place, lift in sorted(turns, key=lambda turn: turn[0]):
        if lift is not None:
            decision = _lifted(lift, makers)
            columns[DECISIONS, lift.partition].add(lift.ts, lift.user, decision.event_id, decision, lift.trace)
        else:
            _add_order(columns, scored, place, reasons[place], makers)
    encoder = msgspec.json.Encoder()
    for (topic, partition), column in columns.items():
        values = [encoder.encode(event) for event in column.events]
        headers = None
        if with_headers:
            headers = cloud_events(topic, column.ids, column.times, column.traces)
        yield Outgoing(topic, partition, column.keys, values, headers)


def _add_order(
    columns: Mapping[tuple[str, int], _Column], scored: ScoredOrders, place: int, reasons: list[Reason], makers: Makers
) -> None:
    """Add all that one order yields."""
    partition, ts, user = int(scored.partition[place]), int(scored.ts[place]), scored.users[place]
    trace = scored.traces[place] if scored.traces else None
    risk = _risk(scored, place, reasons, makers)
    columns[RISK_EVENTS, partition].add(ts, user, risk.event_id, risk, trace)
    verdict = scored.verdicts[place]
    for decision in _decisions(risk, verdict):
        columns[DECISIONS, partition].add(ts, decision.subject.id, decision.event_id, decision, trace)
    for number, raised in enumerate(verdict.alerts):
        told = _alert(raised, number, risk)
        columns[ALERTS, partition].add(ts, told.subject.id, told.event_id, told, trace)


def _risk(scored: ScoredOrders, place: int, reasons: list[Reason], makers: Makers) -> RiskEvent:
    order, verdict = scored.orders[place], scored.verdicts[place]
    return RiskEvent(
        event_id=f"{order.event_id}:risk",
        source_event_id=order.event_id,
        user_id=scored.users[place],
        ts=int(scored.ts[place]),
        scored_at=makers.scored_at,
        model=makers.judges.ref_at(scored.tried, place),
        order_id=order.order_id,
        risk_level=verdict.level,
        reasons=reasons,
        rules=list(verdict.hits),
        decision=DecisionRef(verdict.decision_id, verdict.action),
        ruleset_version=makers.ruleset_version,
        risk_score=verdict.score,
        probability=round(float(scored.probability[place]), 6) if verdict.score is not None else None,
        partial=True if scored.joined is not None and scored.joined.partial[place] else None,
    )


def _decisions(risk: RiskEvent, verdict: Verdict) -> Iterator[Decision]:
    """What is decided about the order, and about the account if the order had it frozen."""
    yield _decision(risk, verdict, Subject("order", risk.order_id), f"{risk.source_event_id}:decision")
    if verdict.account is not None:
        decision = _decision(risk, verdict, Subject("user", risk.user_id), f"{risk.source_event_id}:account")
        yield msgspec.structs.replace(
            decision, decision_id=verdict.account, policy=f"{verdict.policy}/account", supersedes=None
        )


def _decision(risk: RiskEvent, verdict: Verdict, subject: Subject, event_id: str) -> Decision:
    return Decision(
        event_id=event_id,
        source_event_id=risk.source_event_id,
        user_id=risk.user_id,
        ts=risk.ts,
        scored_at=risk.scored_at,
        model=risk.model,
        decision_id=verdict.decision_id,
        subject=subject,
        action=verdict.action,
        policy=verdict.policy,
        reasons=[reason.code for reason in risk.reasons],
        expires_at=verdict.expires_at,
        supersedes=verdict.supersedes,
        partial=risk.partial,
        techniques=techniques_of(risk.reasons),
    )


def _lifted(lift: Lift, makers: Makers) -> Decision:
    """The account may go on."""
    return Decision(
        event_id=f"{lift.source_event_id}:lift",
        source_event_id=lift.source_event_id,
        user_id=lift.user,
        ts=lift.ts,
        scored_at=makers.scored_at,
        model=makers.judges.serving_ref,
        decision_id=lift.decision_id,
        subject=Subject("user", lift.user),
        action="allow",
        policy=LIFT_POLICY,
        reasons=["FREEZE_LIFTED"],
        supersedes=lift.superseded,
    )


def _alert(raised: RaisedAlert, number: int, risk: RiskEvent) -> Alert:
    is_of_order = raised.kind == "risk"
    return alert(
        raised,
        alert_id(risk.source_event_id, number),
        [reason.code for reason in risk.reasons] if is_of_order else [raised.reason],
        techniques_of(risk.reasons) if is_of_order else named(raised.technique),
        ts=risk.ts,
        scored_at=risk.scored_at,
        source_event_id=risk.source_event_id,
        user_id=risk.user_id,
        model=risk.model,
    )
