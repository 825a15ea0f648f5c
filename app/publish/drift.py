"""Alerts that what a model is given, or says, is no longer what it learned from: one of each input and window."""

from collections.abc import Iterator

import msgspec

from app.drift.distribution import SCORE
from app.drift.watch import WATCHED
from app.effects import Drift
from app.publish.outgoing import Outgoing, cloud_events
from schemas.outputs import Alert, AlertSubject, ModelRef
from schemas.topics import ALERTS


def drift_alerts(drift: Drift, scored_at: int, with_headers: bool) -> Iterator[Outgoing]:
    """The alerts that a window raises, strongest first."""
    order = drift.window.psi.argsort(kind="stable")[::-1].tolist()
    alerts = [_alert(drift, column, scored_at) for column in order if drift.window.psi[column] > drift.max_psi]
    if not alerts:
        return
    ids, times = [alert.event_id for alert in alerts], [alert.ts for alert in alerts]
    headers = cloud_events(ALERTS, ids, times, None) if with_headers else None
    keys = [alert.subject.id.encode() for alert in alerts]
    yield Outgoing(ALERTS, WATCHED, keys, [msgspec.json.encode(alert) for alert in alerts], headers)


def _alert(drift: Drift, column: int, scored_at: int) -> Alert:
    window, model = drift.window, f"{drift.model}/{drift.version}"
    name = window.names[column]
    key = f"drift:{model}:{name}:{window.end}"
    what = "scores have" if name == SCORE else f"{name} has"
    return Alert(
        event_id=f"{key}:alert",
        ts=window.last_ts,
        scored_at=scored_at,
        alert_id=key,
        kind="drift",
        severity="warning",
        title=(
            f"Model {model}: {what} moved away from {drift.compared_with}, "
            f"PSI {window.psi[column]:.2f} over {drift.max_psi:g}"
        ),
        subject=AlertSubject("model", model),
        count=window.rows,
        first_ts=window.first_ts,
        last_ts=window.last_ts,
        reasons=["DRIFT_SCORE" if name == SCORE else "DRIFT_INPUT"],
        model=ModelRef(drift.model, drift.version),
    )
