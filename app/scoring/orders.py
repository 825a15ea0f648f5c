"""Orders and labels: one user's in order, each order judged by the clicks, orders and labels before it."""

import numpy as np

from app.batch import CLICK, LABEL, Batch
from app.effects import Effects, ScoredOrders, Verdict
from app.events.records import Records
from app.features.orders import ORDER_FEATURES, OrderFacts, order_features
from app.features.scan import Ints
from app.models.runtime import RiskScorer, RiskScores
from app.models.score import risk_score
from app.rules.policy import ALERT_WINDOW_MS, action_for, risk_level
from app.scoring.clicks import Seen
from app.state.columns import UserTable
from app.state.order_log import OrderLog
from app.state.rows import MONEY_SCALE, Rows
from schemas.events import CLICK_CODES, Label, Order
from schemas.topics import LABELS, ORDERS

_FAILED_LOGIN = CLICK_CODES["login_failed"]
_PASSWORD, _ADDRESS = CLICK_CODES["password_changed"], CLICK_CODES["address_changed"]
_LEGITIMATE = "legitimate"
_MAX_AMOUNT = 1e15  # 1e-4 major units


def score_orders(
    table: UserTable,
    records: Records,
    batch: Batch,
    user: Ints,
    slots: Ints,
    before: Rows,
    rows: Rows,
    seen: Seen,
    model: RiskScorer,
    effects: Effects,
) -> None:
    """Score the orders of ``batch`` and take its labels in; ``rows`` [users] of ``slots`` are changed in place.

    Args:
        user: row of ``rows`` for each record of the batch.
        before: the rows as they were before the batch's clicks.
        seen: the batch's clicks.
    """
    others = np.flatnonzero(batch.kind != CLICK)
    if len(others) == 0:
        return
    clicks_before = np.cumsum(batch.kind == CLICK)[others] - 1
    found: list[int] = []
    features: list[list[float]] = []
    gap_ms = table.lifetimes.gap_ms
    for place, click in zip(others.tolist(), clicks_before.tolist(), strict=True):
        row = int(user[place])
        index = int(batch.index[place])
        if batch.kind[place] == LABEL:
            label = records.topics[LABELS].events[index]
            _take_label(rows, row, label, int(batch.ts[place]))
            continue
        order = records.topics[ORDERS].events[index]
        assert isinstance(order, Order)
        slot = int(slots[row])
        log = table.logs.get(slot)
        if log is None:
            log = table.logs[slot] = OrderLog()
        facts = _facts(order, int(batch.due[place]), rows, before, row, seen, click, gap_ms)
        log.add(facts.ts, facts.amount)
        features.append(order_features(log, facts))
        found.append(place)
    if found:
        _judge(records, batch, np.array(found), user, table, slots, rows, features, model, effects)


def _take_label(rows: Rows, row: int, label: object, ts: int) -> None:
    assert isinstance(label, Label)
    if label.label != _LEGITIMATE:
        rows["known_frauds"][row] += 1
        rows["last_fraud"][row] = max(int(rows["last_fraud"][row]), ts)


def _facts(
    order: Order, due: int, rows: Rows, before: Rows, row: int, seen: Seen, click: int, gap_ms: int
) -> OrderFacts:
    """What is known at an order: of its session, as the click before left it, if that is still going on."""
    clicks, sessions = seen.clicks, seen.sessions
    counts, events, started, cart = None, 0, 0, 0
    if click >= 0 and clicks.user[click] == row:
        if abs(due - int(sessions.latest[click])) <= gap_ms:
            counts = sessions.counts[:, click]
            events, started, cart = (
                int(column[click]) for column in (sessions.events, sessions.started_at, sessions.cart)
            )
    elif before["open"][row] and abs(due - int(before["last_click"][row])) <= gap_ms:
        counts = before["counts"][row]
        events, started, cart = (int(before[name][row]) for name in ("events", "started_at", "cart"))
    billing, shipping = order.billing_country, order.shipping_country
    return OrderFacts(
        ts=order.ts,
        amount=round(min(order.value * MONEY_SCALE, _MAX_AMOUNT)),
        known_frauds=int(rows["known_frauds"][row]),
        last_fraud=int(rows["last_fraud"][row]),
        account_created=order.account_created_ts,
        countries_differ=bool(billing and shipping and billing != shipping),
        session_events=events,
        session_started=started,
        session_cart=cart,
        failed_logins=0 if counts is None else int(counts[_FAILED_LOGIN]),
        account_changes=0 if counts is None else int(counts[_PASSWORD] + counts[_ADDRESS]),
    )


def _judge(
    records: Records,
    batch: Batch,
    found: Ints,
    user: Ints,
    table: UserTable,
    slots: Ints,
    rows: Rows,
    features: list[list[float]],
    model: RiskScorer,
    effects: Effects,
) -> None:
    columns = records.topics[ORDERS]
    index = batch.index[found]
    inputs = np.array(features, np.float32).reshape(len(features), len(ORDER_FEATURES))
    scores = model.score(inputs)
    verdicts = _verdicts(scores, model, batch.ts[found].tolist(), user[found].tolist(), rows)
    orders = [columns.events[i] for i in index.tolist()]
    effects.orders.append(
        ScoredOrders(
            orders=orders,
            users=[table.users[slot] for slot in slots[user[found]].tolist()],
            partition=columns.partition[index],
            position=batch.position[found],
            traces=None if columns.traces is None else [columns.traces[i] for i in index.tolist()],
            late=batch.late[found],
            ts=batch.ts[found],
            features=inputs,
            probability=scores.probability,
            contributions=scores.contributions,
            verdicts=verdicts,
        )
    )


def _verdicts(scores: RiskScores, model: RiskScorer, times: list[int], owners: list[int], rows: Rows) -> list[Verdict]:
    """The policy's verdicts in order; a user's first of the highest level in a window raises an alert."""
    finite = np.isfinite(scores.probability)
    points = risk_score(np.where(finite, scores.probability, 0), model.mapping).tolist()
    verdicts = []
    for point, known, ts, row in zip(points, finite.tolist(), times, owners, strict=True):
        score = point if known else None
        level = risk_level(score)
        window = None
        if level == "highest" and ts >= rows["alerted_until"][row]:
            window = ts - ts % ALERT_WINDOW_MS
            rows["alerted_until"][row] = window + ALERT_WINDOW_MS
        verdicts.append(Verdict(score, level, action_for(level), window))
    return verdicts
