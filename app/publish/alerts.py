"""Alerts, from what orders and sessions raised."""

from app.effects import RaisedAlert
from schemas.outputs import Alert, AlertSubject, ModelRef


def alert(
    raised: RaisedAlert,
    event_id: str,
    reasons: list[str],
    techniques: list[str] | None,
    *,
    ts: int,
    scored_at: int,
    source_event_id: str,
    user_id: str,
    model: ModelRef,
) -> Alert:
    """The alert ``event_id`` for ``reasons`` and their ``techniques``, raised by an event of a user at ``ts`` (ms) that
    ``model`` scored."""
    return Alert(
        event_id=event_id,
        ts=ts,
        scored_at=scored_at,
        alert_id=raised.key,
        kind=raised.kind,
        severity=raised.severity,
        title=raised.title,
        subject=AlertSubject(*raised.subject),
        count=raised.count,
        first_ts=raised.first_ts,
        last_ts=raised.last_ts,
        reasons=reasons,
        source_event_id=source_event_id,
        user_id=user_id,
        model=model,
        techniques=techniques,
    )


def alert_id(source: str, number: int) -> str:
    """The event id of the alert of ``source`` that has this number among its alerts."""
    return f"{source}:alert" + (f"-{number}" if number else "")
