"""The whole business in one function: state and records in, effects out.

Pure and synchronous: no broker, no clock, no randomness. The worker, a replay, the export of training rows and the
benchmark drive this same function, so live equals replay equals training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.batch import TOPICS, Batch, admit, lifetimes, seen_before, split
from app.drift.windows import DEFAULT_LIMITS, DriftLimits
from app.effects import Effects
from app.events.align import Aligned
from app.events.decode import Rejected
from app.events.records import Records, gather
from app.features.scan import Flags, Ints, last_rows
from app.models.runtime import IntentScorer, RiskScorer
from app.models.trial import Trial
from app.rules.book import RuleBook
from app.rules.policy import BUILT_IN
from app.scoring.clicks import score_clicks
from app.scoring.explaining import Explaining
from app.scoring.orders import Judges, score_orders
from app.scoring.session_rules import judge_sessions
from app.scoring.sessions import close_over, closed_rows
from app.state.partition_rows import partition_changes
from app.state.rows import Rows, begun_anew
from app.state.state import State
from app.text.recogniser import TextReader
from app.velocity.catalogue import CATALOGUE as VELOCITIES
from app.velocity.definitions import Velocity


@dataclass(frozen=True, slots=True)
class Models:
    """The models and the ruleset in force, passed in like everything else that is not the step's own."""

    intent: IntentScorer
    risk: RiskScorer
    intent_trial: Trial[IntentScorer] = field(default_factory=Trial)
    risk_trial: Trial[RiskScorer] = field(default_factory=Trial)
    rules: RuleBook = BUILT_IN
    drift: DriftLimits = DEFAULT_LIMITS
    text: TextReader | None = None  # without one, nobody reads what visitors write
    explaining: Explaining | None = None  # without it, no click is explained

    @property
    def velocities(self) -> tuple[Velocity, ...]:
        """What the ruleset and the risk models look at, those on trial too, in the order of the catalogue."""
        trial = self.risk_trial
        tried = [one.model for one in (trial.canary, trial.shadow, trial.replaced) if one is not None]
        inputs = [velocity for model in (self.risk, *tried) for velocity in model.inputs.velocities]
        looked_at = {*self.rules.velocities, *inputs}
        return tuple(velocity for velocity in VELOCITIES if velocity in looked_at)


def step(state: State, aligned: Sequence[Aligned], models: Models, rejected: Sequence[Rejected] = ()) -> Effects:
    """Process what alignment let through.

    What an event yields depends on the earlier events of its user alone, in the order given, never on how they were
    cut into calls; but for what guards against floods, which counts the orders of a partition (`app.state.flow`).

    Args:
        state: rows and watermarks; changed in place, in memory only.
        aligned: records by partition, each in order of event time.
        models: score clicks and orders, and decide on these.
        rejected: records that did not decode; they are passed on to the dead letters.
    """
    effects = Effects(rejected=list(rejected))
    records = gather(aligned, TOPICS)
    if not len(records):
        effects.changes += partition_changes(state, state.apply(aligned, rejected))
        return effects
    batch = admit(state, records, state.advance(records), effects)
    applied = state.apply(aligned, rejected)
    changed = batch.slot[batch.starts]
    rest: Batch | None = batch if len(batch) else None
    while rest is not None:
        rest = _process(state, records, rest, models, effects)
    state.drift.look(effects, models.intent, models.risk, models.text, models.drift)
    partitions = list(dict.fromkeys(partition for partition, _ in records.partitions))
    swept, expired = close_over(state, partitions, effects)
    effects.expired = len(expired)
    if len(swept) or len(expired):
        changed = np.setdiff1d(np.union1d(changed, swept), expired, assume_unique=True)
    effects.changes += state.table.changes(changed)
    effects.changes += state.table.delete(expired)
    effects.changes += partition_changes(state, applied)
    return effects


def _process(state: State, records: Records, batch: Batch, models: Models, effects: Effects) -> Batch | None:
    """Process the records up to where a history would begin anew within the batch; returns the rest."""
    history_ms = state.table.lifetimes.history_ms
    fresh, cut = lifetimes(state.table.rows, batch.slot[batch.starts], batch, history_ms)
    rest = None
    if cut is not None:
        batch, rest = split(batch, cut)
        fresh, _ = lifetimes(state.table.rows, batch.slot[batch.starts], batch, history_ms)
    starts, user = batch.starts, batch.user
    slots = batch.slot[starts]
    rows = state.table.rows[slots]
    _begin(state, slots, rows, fresh, batch.ts[starts], effects)
    before = rows.copy()
    seen = score_clicks(
        state.table,
        records,
        batch,
        user,
        slots,
        rows,
        models.intent,
        models.intent_trial,
        models.text,
        models.explaining,
        effects,
    )
    if models.rules.sessions is not None and len(seen.place):
        effects.met += judge_sessions(state, models.rules, models.rules.sessions, effects.clicks[-1], seen)
    judges = Judges(models.risk, models.risk_trial, models.rules)
    score_orders(state, records, batch, user, slots, before, rows, seen, judges, effects)
    last = last_rows(starts, len(batch))
    rows["last_seen"] = np.maximum(seen_before(rows, np.arange(len(rows)), batch)[last], batch.ts[last])
    rows["accepted"] = batch.accepted[last]
    _apply(rows, batch)
    state.table.write(slots, rows)
    return rest


def _apply(rows: Rows, batch: Batch) -> None:
    """Note in each row the offset after its user's latest record of each topic."""
    for kind in np.unique(batch.kind).tolist():
        latest = np.maximum.reduceat(np.where(batch.kind == kind, batch.offset + 1, 0), batch.starts)
        rows["applied"][:, kind] = np.maximum(rows["applied"][:, kind], latest)


def _begin(state: State, slots: Ints, rows: Rows, fresh: Flags, ts: Ints, effects: Effects) -> None:
    """Start the history of ``fresh`` users over; a session that is still open ends before it."""
    if not fresh.any():
        return
    ending = fresh & (rows["open"] == 1)
    if ending.any():
        effects.closed += closed_rows(state.table, slots[ending], rows[ending])
    rows[fresh] = begun_anew(rows[fresh], ts[fresh])
    for slot in slots[fresh].tolist():
        state.table.begin_anew(slot)
