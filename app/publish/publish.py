"""All the records that the effects of a step put on the output topics."""

from collections.abc import Iterator

from app.effects import Effects
from app.publish.clicks import intent_events
from app.publish.dead_letters import dead_letters
from app.publish.drift import drift_alerts
from app.publish.judges import intent_judges, risk_judges
from app.publish.orders import Makers, order_events
from app.publish.outgoing import Outgoing
from app.publish.session_rules import session_rule_events
from app.publish.sessions import session_events
from app.step import Models
from schemas.outputs import ModelRef


def publish(effects: Effects, models: Models, now_ms: int, with_headers: bool) -> Iterator[Outgoing]:
    """The output records of ``effects``, by topic and partition.

    Args:
        effects: of one step.
        models: those that scored it.
        now_ms: the time of scoring, ms since the epoch.
        with_headers: whether outputs carry CloudEvents headers; dead letters carry their reason always.
    """
    intent = intent_judges(models.intent, models.intent_trial)
    makers = Makers(risk_judges(models.risk, models.risk_trial), models.rules.version, now_ms)
    text = ModelRef(models.text.name, models.text.version) if models.text else None
    for clicks in effects.clicks:
        yield from intent_events(clicks, intent, text, now_ms, with_headers)
    for orders in effects.orders:
        yield from order_events(orders, makers, with_headers)
    for drift in effects.drift:
        yield from drift_alerts(drift, now_ms, with_headers)
    if effects.met:
        yield from session_rule_events(effects.met, intent.serving_ref, now_ms, with_headers)
    if effects.closed:
        yield from session_events(effects.closed, intent, text, now_ms, with_headers)
    if effects.rejected:
        yield from dead_letters(effects.rejected, with_headers)
