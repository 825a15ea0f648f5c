"""Orders and labels: one user's in order, each order judged by the clicks, orders and labels before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.batch import CLICK, ORDER, TOPICS, Batch
from app.effects import Effects, ScoredOrders, Tried
from app.events.records import Columns, Records
from app.features.orders import OrderFacts, OrderSession, order_features, order_history
from app.features.scan import Ints
from app.models.runtime import Floats, RiskScorer, RiskScores
from app.models.score import risk_score
from app.models.trial import Trial
from app.rules.book import RuleBook
from app.rules.catalogue import OrderColumns
from app.scoring.clicks import Seen
from app.scoring.decisions import Decided, Decider, Turn
from app.scoring.order_sessions import order_sessions
from app.scoring.trial import score_orders_with
from app.state.columns import UserTable
from app.state.rows import MONEY_SCALE, Rows
from app.state.state import State
from app.velocity.joined import Joined
from schemas.events import Order
from schemas.topics import LABELS, ORDERS

_LEGITIMATE = "legitimate"
_MAX_AMOUNT = 1e15  # 1e-4 major units


@dataclass(frozen=True, slots=True)
class Judges:
    """What judges orders: the model that serves, those on trial beside it, and the ruleset in force."""

    model: RiskScorer
    trial: Trial[RiskScorer]
    book: RuleBook


def score_orders(
    state: State,
    records: Records,
    batch: Batch,
    user: Ints,
    slots: Ints,
    before: Rows,
    rows: Rows,
    seen: Seen,
    judges: Judges,
    effects: Effects,
) -> None:
    """Score the orders of ``batch``, take its labels in and decide; ``rows`` [users] of ``slots`` change in place.

    Args:
        user: row of ``rows`` for each record of the batch.
        before: the rows as they were before the batch's clicks.
        seen: the batch's clicks.
        judges: make scores and decisions.
    """
    others = np.flatnonzero(batch.kind != CLICK)
    if len(others) == 0:
        return
    table = state.table
    found = others[batch.kind[others] == ORDER]
    clicks_before = np.cumsum(batch.kind == CLICK)[found]
    gap_ms = table.lifetimes.gap_ms
    sessions = order_sessions(before, seen, user[found], clicks_before, batch.due[found], gap_ms)
    features = _features(table, records, batch, others, user, slots, rows, sessions)
    joined = None if records.joined is None else records.joined.at(batch.index[found])
    users = [table.users[slot] for slot in slots[user[found]].tolist()]
    scores, tried = RiskScores(np.zeros(0, np.float32), features), Tried()
    if len(found):
        scores, tried = score_orders_with(judges.model, judges.trial, features, joined, users)
    turns = _turns(records, batch, others, user, slots)
    columns = _columns(turns, features, scores, judges, tried, joined)
    decider = Decider(judges.book, columns, table, rows["frozen_at"].tolist(), state.flows)
    decided = decider.decide(turns)
    rows["frozen_at"] = decider.frozen_at
    if len(found) or decided.lifts:
        effects.orders.append(_scored(records, batch, found, users, features, scores, tried, decided, joined))


def _features(
    table: UserTable,
    records: Records,
    batch: Batch,
    others: Ints,
    user: Ints,
    slots: Ints,
    rows: Rows,
    sessions: list[OrderSession],
) -> Floats:
    """The features of each order [m, G], while labels and orders are taken in one after the other."""
    orders, labels = records.topics[ORDERS].events, records.topics[LABELS].events
    frauds, latest = rows["known_frauds"].tolist(), rows["last_fraud"].tolist()
    known: list[OrderFacts] = []
    history: list[list[float]] = []
    owners = user[others].tolist()
    steps = zip(batch.kind[others].tolist(), batch.index[others].tolist(), owners, slots[owners].tolist(), strict=True)
    for kind, index, row, slot in steps:
        if kind == ORDER:
            order = orders[index]
            assert isinstance(order, Order)
            log = table.log(slot)
            facts = _facts(order, frauds[row], latest[row], sessions[len(history)])
            log.add(facts.ts, facts.amount)
            known.append(facts)
            history.append(order_history(log, facts))
        elif (label := labels[index]).label != _LEGITIMATE:
            frauds[row] += 1
            latest[row] = max(latest[row], label.ts)
    rows["known_frauds"], rows["last_fraud"] = frauds, latest
    amount, ts = (np.array([getattr(facts, name) for facts in known], np.int64) for name in ("amount", "ts"))
    return order_features(amount, ts, history)


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


def _turns(records: Records, batch: Batch, others: Ints, user: Ints, slots: Ints) -> list[Turn]:
    """The orders and labels of the batch, sorted as it is."""
    topics = [records.topics[topic] for topic in TOPICS]
    partitions = [columns.partition.tolist() for columns in topics]
    owners, limits = user[others], np.maximum(batch.ts, batch.accepted)[others]
    columns = (batch.kind[others], batch.index[others], batch.position[others], slots[owners], owners, limits)
    return [
        Turn(
            event=topics[kind].events[index],
            partition=partitions[kind][index],
            position=position,
            slot=slot,
            row=row,
            limit=limit,
            trace=_trace(topics[kind], index),
        )
        for kind, index, position, slot, row, limit in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _trace(columns: Columns, index: int) -> bytes | None:
    return None if columns.traces is None else columns.traces[index]


def _columns(
    turns: Sequence[Turn],
    features: Floats,
    scores: RiskScores,
    judges: Judges,
    tried: Tried,
    joined: Joined | None,
) -> OrderColumns:
    """What rules read of the orders; a score by the mapping of the version that gave it, missing where it gave none."""
    orders = [turn.event for turn in turns if isinstance(turn.event, Order)]
    known = np.isfinite(scores.probability)
    probability = np.where(known, scores.probability, 0)
    points = risk_score(probability, judges.model.mapping)
    for rows, model in judges.trial.others(tried.canary, tried.stand_in):
        points[rows] = risk_score(probability[rows], model.mapping)
    return OrderColumns(orders, features, np.where(known, probability, np.nan), np.where(known, points, np.nan), joined)


def _scored(
    records: Records,
    batch: Batch,
    found: Ints,
    users: list[str],
    features: Floats,
    scores: RiskScores,
    tried: Tried,
    decided: Decided,
    joined: Joined | None,
) -> ScoredOrders:
    columns, index = records.topics[ORDERS], batch.index[found]
    return ScoredOrders(
        orders=[columns.events[i] for i in index.tolist()],
        users=users,
        partition=columns.partition[index],
        position=batch.position[found],
        traces=None if columns.traces is None else [columns.traces[i] for i in index.tolist()],
        late=batch.late[found],
        ts=batch.ts[found],
        features=features,
        probability=scores.probability,
        contributions=scores.contributions,
        verdicts=decided.verdicts,
        lifts=decided.lifts,
        tried=tried,
        joined=joined,
    )
