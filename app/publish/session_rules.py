"""What rules on sessions lead to: a decision about the session, and an alert."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec
from xxhash import xxh3_64_hexdigest

from app.effects import MetRule, RaisedAlert
from app.publish.alerts import alert, alert_id
from app.publish.outgoing import Outgoing, cloud_events
from app.publish.reasons import named
from app.rules.policy import decision_id
from schemas.outputs import Action, Alert, Decision, ModelRef, Subject
from schemas.topics import ALERTS, DECISIONS

_Event = tuple[MetRule, str, Decision | Alert]
"""What led to an event, and the key of its record."""


def session_rule_events(
    met: Sequence[MetRule], model: ModelRef, scored_at: int, with_headers: bool
) -> Iterator[Outgoing]:
    """The records of ``met`` by topic and partition, in order; ``model`` is the one that serves clicks."""
    columns: defaultdict[tuple[str, int], list[_Event]] = defaultdict(list)
    for one in met:
        if one.action is not None:
            decision = _decision(one, one.action, model, scored_at)
            columns[DECISIONS, one.partition].append((one, decision.subject.id, decision))
        for number, raised in enumerate(one.alerts):
            told = _alert(one, raised, number, model, scored_at)
            columns[ALERTS, one.partition].append((one, told.subject.id, told))
    encode = msgspec.json.Encoder().encode
    for (topic, partition), events in columns.items():
        headers = None
        if with_headers:
            ids, times = [event.event_id for _, _, event in events], [event.ts for _, _, event in events]
            headers = cloud_events(topic, ids, times, [one.trace for one, _, _ in events])
        keys = [key.encode() for _, key, _ in events]
        yield Outgoing(topic, partition, keys, [encode(event) for _, _, event in events], headers)


def _source(one: MetRule) -> str:
    """The beginning of the ids of what a click and a rule yield; a rule's own id may be too long for it."""
    return f"{one.source_event_id}:{xxh3_64_hexdigest(one.hit.id.encode())}"


def _decision(one: MetRule, action: Action, model: ModelRef, scored_at: int) -> Decision:
    policy = f"rule/{one.hit.id}"
    return Decision(
        event_id=f"{_source(one)}:decision",
        source_event_id=one.source_event_id,
        user_id=one.user,
        ts=one.ts,
        scored_at=scored_at,
        model=model,
        decision_id=str(decision_id(one.source_event_id, policy)),
        subject=Subject("session", one.session_id),
        action=action,
        policy=policy,
        reasons=[one.reason],
        expires_at=one.expires_at,
        techniques=named(one.technique),
    )


def _alert(one: MetRule, raised: RaisedAlert, number: int, model: ModelRef, scored_at: int) -> Alert:
    return alert(
        raised,
        alert_id(_source(one), number),
        [raised.reason],
        named(raised.technique),
        ts=one.ts,
        scored_at=scored_at,
        source_event_id=one.source_event_id,
        user_id=one.user,
        model=model,
    )
