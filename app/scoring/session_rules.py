"""Rules on sessions: each session meets a rule once, at the first click at which its condition holds.

It looks at clicks in the order of their partitions. What it remembers of a user is which rules the session has met, and
of a partition how many of its sessions met each; neither depends on how the stream was cut.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from xxhash import xxh3_64_intdigest

from app.effects import Effects, MetRule, RaisedAlert, ScoredClicks
from app.features.clicks import CLICK_FEATURES
from app.rules.book import SEVERITY, RuleBook
from app.rules.language.program import Evaluation
from app.rules.ready import ReadyRule
from app.rules.sessions import ClickColumns, SessionRules
from app.scoring.decisions import flooding
from app.state.flow import Flow
from app.state.state import State
from schemas.events import MAX_ID
from schemas.outputs import RuleHit, RuleMode, Severity

_IS_NEW: Final = [feature.name for feature in CLICK_FEATURES].index("is_new_session")


def judge_sessions(
    state: State, book: RuleBook, rules: SessionRules, parts: Sequence[ScoredClicks], effects: Effects
) -> None:
    """Let each rule of ``rules`` look at the clicks of ``parts``; ``effects`` are told which sessions have met one."""
    for clicks in parts:
        effects.met += _Judge(state, book, rules, clicks).met()


class _Judge:
    def __init__(self, state: State, book: RuleBook, rules: SessionRules, clicks: ScoredClicks) -> None:
        self._state = state
        self._book = book
        self._rules = rules
        self._clicks = clicks

    def met(self) -> Iterator[MetRule]:
        """The rules that sessions meet for the first time, in the order of their clicks."""
        clicks, guard = self._clicks, self._book.ruleset.guard
        holds, found = self._rules.met(ClickColumns(clicks.clicks, clicks.features, clicks.ts))
        begins = clicks.features[:, _IS_NEW] > 0
        any_holds = np.logical_or.reduce(holds)
        for place in np.flatnonzero(begins | any_holds).tolist():
            flow = self._state.session_flows.setdefault(int(clicks.partition[place]), Flow())
            if begins[place]:
                flow.next_order(guard.orders, self._rules.keys)
            if any_holds[place]:
                for number in np.flatnonzero(holds[:, place]).tolist():
                    if self._is_first(place, self._rules.rules[number]):
                        yield self._met(place, number, found, flow)

    def _is_first(self, place: int, ready: ReadyRule) -> bool:
        slot = self._state.table.slot(self._clicks.users[place])
        assert slot is not None
        standing = self._state.table.standing(slot)
        return standing.meets(xxh3_64_intdigest(ready.key.encode()), int(self._clicks.session_started_at[place]))

    def _met(self, place: int, number: int, found: Evaluation, flow: Flow) -> MetRule:
        clicks, ready = self._clicks, self._rules.rules[number]
        rule, ts = ready.rule, int(clicks.ts[place])
        alerts = self._guarded(ready, flow, int(clicks.partition[place]), ts)
        is_live = rule.mode == "live" and ready.key not in flow.shadowed
        if rule.mode == "shadow" or is_live:
            alerts += self._alerts(place, number, found, flow)
        mode: RuleMode = "live" if is_live else "shadow"
        holds_ms = self._book.policies[-1].expires_ms
        return MetRule(
            partition=int(clicks.partition[place]),
            user=clicks.users[place],
            session_id=clicks.session_ids[place],
            ts=ts,
            source_event_id=clicks.clicks[place].event_id,
            trace=clicks.traces[place] if clicks.traces else None,
            hit=RuleHit(rule.id, rule.version, mode, 0.0),
            reason=rule.reason,
            action=rule.action if is_live else None,
            expires_at=None if holds_ms is None else ts + holds_ms,
            alerts=alerts,
        )

    def _guarded(self, ready: ReadyRule, flow: Flow, partition: int, ts: int) -> list[RaisedAlert]:
        """Count the hit; an alert if it is one too many."""
        guard = self._book.ruleset.guard
        share = guard.max_share if ready.rule.max_share is None else ready.rule.max_share
        if ready.rule.mode != "live" or ready.key in flow.shadowed:
            return []
        return [flooding(ready, share, flow, partition, ts)] if flow.hit(ready.key, ts, share * guard.orders) else []

    def _alerts(self, place: int, number: int, found: Evaluation, flow: Flow) -> list[RaisedAlert]:
        """The alert about the session, unless the partition has raised as many as may be."""
        clicks, rule, window = self._clicks, self._rules.rules[number].rule, self._book.window_ms
        ts, session = int(clicks.ts[place]), clicks.session_ids[place]
        if not flow.may_alert(ts - ts % window, self._book.ruleset.alerts.most):
            return []
        title = _title(rule.text or rule.id, self._rules.explain(number, found, place))
        key = f"risk:session:{session}:{rule.reason}"
        severity: Severity = "info"
        if rule.mode == "live":
            severity = "critical" if rule.action and SEVERITY[rule.action] >= SEVERITY["block"] else "warning"
        return [RaisedAlert("risk", key, severity, title, ("session", session), 1, ts, ts, rule.reason)]


def _title(said: str, why: str) -> str:
    text = f"{said.rstrip('.')}: {why}"
    return text if len(text) <= MAX_ID else f"{text[: MAX_ID - 3]}..."
