"""Orders and labels: one user's in order, each order judged by the clicks, orders and labels before it."""

import numpy as np

from app.batch import CLICK, ORDER, Batch
from app.effects import Effects, ScoredOrders, Verdict
from app.events.records import Records
from app.features.orders import ORDER_FEATURES, OrderFacts, OrderSession, order_features
from app.features.scan import Ints
from app.models.runtime import RiskScorer, RiskScores
from app.models.score import risk_score
from app.models.trial import Trial
from app.rules.policy import ALERT_WINDOW_MS, action_for, risk_level
from app.scoring.clicks import Seen
from app.scoring.order_sessions import order_sessions
from app.scoring.trial import Tried, score_orders_with
from app.state.columns import UserTable
from app.state.rows import MONEY_SCALE, Rows
from schemas.events import Order
from schemas.topics import LABELS, ORDERS

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
    trial: Trial[RiskScorer],
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
    found = others[batch.kind[others] == ORDER]
    clicks_before = np.cumsum(batch.kind == CLICK)[found]
    gap_ms = table.lifetimes.gap_ms
    sessions = order_sessions(before, seen, user[found], clicks_before, batch.due[found], gap_ms)
    features = _features(table, records, batch, others, user, slots, rows, sessions)
    if len(found):
        _judge(records, batch, found, user, table, slots, rows, features, model, trial, effects)


def _features(
    table: UserTable,
    records: Records,
    batch: Batch,
    others: Ints,
    user: Ints,
    slots: Ints,
    rows: Rows,
    sessions: list[OrderSession],
) -> list[list[float]]:
    """The features of each order, while labels and orders are taken in one after the other."""
    orders, labels = records.topics[ORDERS].events, records.topics[LABELS].events
    frauds, latest = rows["known_frauds"].tolist(), rows["last_fraud"].tolist()
    features: list[list[float]] = []
    owners = user[others].tolist()
    steps = zip(batch.kind[others].tolist(), batch.index[others].tolist(), owners, slots[owners].tolist(), strict=True)
    for kind, index, row, slot in steps:
        if kind == ORDER:
            order = orders[index]
            assert isinstance(order, Order)
            log = table.log(slot)
            facts = _facts(order, frauds[row], latest[row], sessions[len(features)])
            log.add(facts.ts, facts.amount)
            features.append(order_features(log, facts))
        elif (label := labels[index]).label != _LEGITIMATE:
            frauds[row] += 1
            latest[row] = max(latest[row], label.ts)
    rows["known_frauds"], rows["last_fraud"] = frauds, latest
    return features


def _facts(order: Order, known_frauds: int, last_fraud: int, session: OrderSession) -> OrderFacts:
    billing, shipping = order.billing_country, order.shipping_country
    return OrderFacts(
        ts=order.ts,
        amount=round(min(order.value * MONEY_SCALE, _MAX_AMOUNT)),
        known_frauds=known_frauds,
        last_fraud=last_fraud,
        account_created=order.account_created_ts,
        countries_differ=bool(billing and shipping and billing != shipping),
        session=session,
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
    trial: Trial[RiskScorer],
    effects: Effects,
) -> None:
    columns = records.topics[ORDERS]
    index = batch.index[found]
    inputs = np.array(features, np.float32).reshape(len(features), len(ORDER_FEATURES))
    users = [table.users[slot] for slot in slots[user[found]].tolist()]
    scores, tried = score_orders_with(model, trial, inputs, users)
    limits = np.maximum(batch.ts, batch.accepted)[found] + ALERT_WINDOW_MS
    points = _points(scores, model, trial, tried)
    verdicts = _verdicts(points, batch.ts[found].tolist(), limits.tolist(), user[found].tolist(), rows)
    orders = [columns.events[i] for i in index.tolist()]
    effects.orders.append(
        ScoredOrders(
            orders=orders,
            users=users,
            partition=columns.partition[index],
            position=batch.position[found],
            traces=None if columns.traces is None else [columns.traces[i] for i in index.tolist()],
            late=batch.late[found],
            ts=batch.ts[found],
            features=inputs,
            probability=scores.probability,
            contributions=scores.contributions,
            verdicts=verdicts,
            canary=tried.canary,
            shadow=tried.shadow,
        )
    )


def _points(scores: RiskScores, model: RiskScorer, trial: Trial[RiskScorer], tried: Tried) -> list[int | None]:
    """The risk score of each order, by the mapping of the version that judged it; None where it gave no number."""
    finite = np.isfinite(scores.probability)
    probability = np.where(finite, scores.probability, 0)
    points = risk_score(probability, model.mapping)
    if trial.canary is not None and tried.canary is not None:
        points[tried.canary] = risk_score(probability[tried.canary], trial.canary.model.mapping)
    return [point if known else None for point, known in zip(points.tolist(), finite.tolist(), strict=True)]


def _verdicts(
    points: list[int | None], times: list[int], limits: list[int], owners: list[int], rows: Rows
) -> list[Verdict]:
    """The policy's verdicts in order; a user's first of the highest level in a window raises an alert.

    A window that ends after its order's limit was that of a misdated order, and mutes nothing.
    """
    verdicts = []
    for score, ts, limit, row in zip(points, times, limits, owners, strict=True):
        level = risk_level(score)
        window = None
        if level == "highest" and not ts < rows["alerted_until"][row] <= limit:
            window = ts - ts % ALERT_WINDOW_MS
            rows["alerted_until"][row] = window + ALERT_WINDOW_MS
        verdicts.append(Verdict(score, level, action_for(level), window))
    return verdicts
