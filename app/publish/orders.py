"""Risk events, decisions and alerts: what became of each order."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np

from app.effects import ScoredOrders
from app.features.orders import ORDER_FEATURES
from app.features.words import in_words
from app.models.points import risk_points
from app.models.runtime import RiskScorer
from app.publish.judges import Judges
from app.publish.outgoing import Outgoing, cloud_events
from app.rules.policy import POLICY, RULESET_VERSION, decision_id
from schemas.outputs import (
    MAX_REASONS,
    Alert,
    AlertSubject,
    Decision,
    DecisionRef,
    ModelRef,
    Reason,
    RiskEvent,
    Subject,
)
from schemas.topics import ALERTS, DECISIONS, RISK_EVENTS

_SMALLEST_POINTS = 0.5
_NO_SCORE = Reason(
    "MODEL_FAILURE", "model", 0.0, "The model gave no finite number for this order; it must be looked at."
)


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


def order_events(
    scored: ScoredOrders, judges: Judges[RiskScorer], scored_at: int, with_headers: bool
) -> Iterator[Outgoing]:
    """The records that ``scored`` yields, by topic and partition, in processing order.

    A decision about an order that raises no alert and one that does are equally published: a blocker waits for both.
    """
    reasons = _reasons(scored, judges)
    is_canary = [False] * len(scored.orders) if scored.canary is None else scored.canary.tolist()
    columns: defaultdict[tuple[str, int], _Column] = defaultdict(_Column)
    for place in np.argsort(scored.position).tolist():
        partition = int(scored.partition[place])
        trace = scored.traces[place] if scored.traces else None
        order, user, ts = scored.orders[place], scored.users[place], int(scored.ts[place])
        model = judges.canary_ref if is_canary[place] else judges.serving_ref
        risk = _risk(scored, place, reasons[place], model, scored_at)
        decision = _decision(scored, place, risk, scored_at)
        columns[RISK_EVENTS, partition].add(ts, user, risk.event_id, risk, trace)
        columns[DECISIONS, partition].add(ts, order.order_id, decision.event_id, decision, trace)
        if alert := _alert(scored, place, risk):
            columns[ALERTS, partition].add(ts, user, alert.event_id, alert, trace)
    encoder = msgspec.json.Encoder()
    for (topic, partition), column in columns.items():
        values = [encoder.encode(event) for event in column.events]
        headers = None
        if with_headers:
            headers = cloud_events(topic, column.ids, column.times, column.traces)
        yield Outgoing(topic, partition, column.keys, values, headers)


def _risk(scored: ScoredOrders, place: int, reasons: list[Reason], model: ModelRef, scored_at: int) -> RiskEvent:
    order, verdict = scored.orders[place], scored.verdicts[place]
    assessed = verdict.score is not None
    return RiskEvent(
        event_id=f"{order.event_id}:risk",
        source_event_id=order.event_id,
        user_id=scored.users[place],
        ts=int(scored.ts[place]),
        scored_at=scored_at,
        model=model,
        order_id=order.order_id,
        risk_level=verdict.level,
        reasons=reasons if assessed else [_NO_SCORE],
        rules=[],
        decision=DecisionRef(decision_id(order.event_id), verdict.action),
        ruleset_version=RULESET_VERSION,
        risk_score=verdict.score,
        probability=round(float(scored.probability[place]), 6) if assessed else None,
    )


def _reasons(scored: ScoredOrders, judges: Judges[RiskScorer]) -> list[list[Reason]]:
    """Of each order the features that moved its score most, in points of it, strongest first."""
    points = risk_points(scored.probability, scored.contributions, judges.serving.mapping)
    if (canary := scored.canary) is not None:
        mapping = judges.canary.mapping
        points[canary] = risk_points(scored.probability[canary], scored.contributions[canary], mapping)
    points = np.round(points, 2)  # so that equals stay equal, and in the catalogue's order, in batches of any size
    strongest = np.argsort(-np.abs(points), axis=1, kind="stable")[:, :MAX_REASONS]
    moved = np.take_along_axis(points, strongest, axis=1)
    values = np.round(np.take_along_axis(scored.features, strongest, axis=1).astype(np.float64), 4)
    return [
        [
            _reason(index, point, value)
            for index, point, value in zip(*order, strict=True)
            if abs(point) >= _SMALLEST_POINTS
        ]
        for order in zip(strongest.tolist(), moved.tolist(), values.tolist(), strict=True)
    ]


def _reason(index: int, points: float, value: float) -> Reason:
    feature = ORDER_FEATURES[index]
    return Reason(feature.name.upper(), "model", points, in_words(feature, value), feature.name, value)


def _decision(scored: ScoredOrders, place: int, risk: RiskEvent, scored_at: int) -> Decision:
    order = scored.orders[place]
    return Decision(
        event_id=f"{order.event_id}:decision",
        source_event_id=order.event_id,
        user_id=risk.user_id,
        ts=risk.ts,
        scored_at=scored_at,
        model=risk.model,
        decision_id=risk.decision.decision_id,
        subject=Subject("order", order.order_id),
        action=risk.decision.action,
        policy=POLICY,
        reasons=[reason.code for reason in risk.reasons],
    )


def _alert(scored: ScoredOrders, place: int, risk: RiskEvent) -> Alert | None:
    window = scored.verdicts[place].alert_window
    if window is None:
        return None
    return Alert(
        event_id=f"{risk.source_event_id}:alert",
        ts=risk.ts,
        scored_at=risk.scored_at,
        alert_id=f"risk:user:{risk.user_id}:{window}",
        kind="risk",
        severity="critical",
        title="An order of the highest risk was blocked",
        subject=AlertSubject("user", risk.user_id),
        count=1,
        first_ts=risk.ts,
        last_ts=risk.ts,
        reasons=[reason.code for reason in risk.reasons],
        source_event_id=risk.source_event_id,
        user_id=risk.user_id,
        model=risk.model,
    )
