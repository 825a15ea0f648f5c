"""Alerts about what was decided: many orders alike are one, told now and then.

They are alike that have the same strongest reason and the same user; but where it is the reason of a rule that names
velocities, the same device, card or whatever entity these are of, whoever the users are. Such a group is counted by the
velocity of the entity's orders, which are those of all partitions; each partition tells by itself when to look again.
"""

from typing import Final, NamedTuple, cast

import numpy as np
from xxhash import xxh3_64_intdigest

from app.effects import RaisedAlert
from app.rules.book import SEVERITY, RuleBook
from app.rules.catalogue import OrderColumns
from app.rules.deciding import Judged
from app.rules.ready import ReadyRule
from app.state.alert_groups import AlertGroup
from app.state.flow import Flow
from app.state.standing import Standing
from app.velocity.entities import entity_name
from schemas.events import MAX_ID
from schemas.outputs import AlertKind, AlertSubjectType, Severity

_BY_MODEL: Final = "MODEL_SCORE"
_TITLES: Final = {
    "allow": "An order of a watched subject was allowed",
    "warn": "An order was allowed with a warning",
    "verify": "An order was sent to verification",
    "review": "An order was sent to review",
    "block": "An order was blocked",
    "freeze": "An account was frozen",
}


class Remembered(NamedTuple):
    """What is remembered of the alerts before: of the order's user, and of its partition; ``limit`` is the latest time
    (ms) that is taken for true at the order."""

    standing: Standing
    flow: Flow
    limit: int


class _About(NamedTuple):
    """What an alert is about, the group it belongs to, and of how many ``orders`` that is by now."""

    kind: AlertKind
    subject: tuple[AlertSubjectType, str]
    title: str
    group: AlertGroup
    orders: int


class OrderAlerts:
    """Tells which orders raise an alert.

    Args:
        book: the ruleset in force.
        columns: of the orders.
    """

    def __init__(self, book: RuleBook, columns: OrderColumns) -> None:
        self._book = book
        self._columns = columns

    def of(self, place: int, user: str, found: Judged, before: Remembered) -> list[RaisedAlert]:
        """The alert of the order at ``place``, unless it is one of many alike."""
        alerts, window, ts = self._book.ruleset.alerts, self._book.window_ms, self._columns.orders[place].ts
        if SEVERITY[found.action] < SEVERITY[alerts.from_action] and not found.watched:
            return []
        code = found.reasons[0].code if found.reasons else _BY_MODEL
        about = self._entity(place, found, code, before) or self._user(ts, user, found, code, before)
        if about is None or not about.group.grows(about.orders):
            return []
        if not before.flow.may_alert(ts - ts % window, alerts.most):
            return []
        key = ":".join((about.kind, *about.subject, code, str(about.group.until - window)))
        technique = found.reasons[0].technique if found.reasons else None
        return [
            RaisedAlert(
                kind=about.kind,
                key=key,
                severity=_severity(found),
                title=about.title,
                subject=about.subject,
                count=about.orders,
                first_ts=about.group.first,
                last_ts=ts,
                reason=code,
                technique=technique,
            )
        ]

    def _entity(self, place: int, found: Judged, code: str, before: Remembered) -> _About | None:
        """The entity whose velocities the strongest reason's rule names, if the order was told of it, is not dated far
        ahead, and there are not too many."""
        order, counting = self._columns.orders[place], found.leading.counting if found.leading else None
        if counting is None or order.ts >= before.limit:
            return None
        name, count = entity_name(counting.entity, order), float(self._columns.velocity(counting.name)[place])
        if name is None or np.isnan(count):
            return None
        window = self._book.window_ms
        key = _hash(":".join((counting.entity, name, code)))
        group = before.flow.group(key, order.ts, window, before.limit + window)
        subject = cast(AlertSubjectType, counting.entity), name
        title = shortened(found.reasons[0].text)
        return None if group is None else _About("velocity", subject, title, group, int(count))

    def _user(self, ts: int, user: str, found: Judged, code: str, before: Remembered) -> _About | None:
        window = self._book.window_ms
        group = before.standing.group(_hash(code), ts, window, before.limit + window)
        title = _TITLES[found.action]
        return None if group is None else _About("risk", ("user", user), title, group, group.count + 1)


def flooding(ready: ReadyRule, share: float, flow: Flow, partition: int, ts: int) -> RaisedAlert:
    """The alert that a rule has met too many and is in shadow from now on."""
    rule = ready.rule
    key = f"pipeline:rule:{ready.key}:{partition}:{ts}"
    title = f"Rule {rule.id} met more than {share:.0%} of the {rule.on}s and was put in shadow"
    return RaisedAlert("pipeline", key, "warning", title, ("rule", rule.id), flow.hits[ready.key], ts, ts, rule.reason)


def shortened(title: str) -> str:
    """A title that is not too long."""
    return title if len(title) <= MAX_ID else f"{title[: MAX_ID - 3]}..."


def _severity(found: Judged) -> Severity:
    if SEVERITY[found.action] >= SEVERITY["block"]:
        return "critical"
    return "warning" if SEVERITY[found.action] >= SEVERITY["verify"] else "info"


def _hash(text: str) -> int:
    return xxh3_64_intdigest(text.encode())
