"""Rules on sessions: each session meets a rule once, at the first click at which its condition holds.

It looks at clicks in the order of their partitions. What it remembers of a user is which rules the session has met, and
of a partition how many of its sessions met each; neither depends on how the stream was cut.
"""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from app.effects import MetRule, RaisedAlert, ScoredClicks
from app.features.clicks import CLICK_FEATURES
from app.features.scan import Ints
from app.rules.book import SEVERITY, RuleBook
from app.rules.language.program import Evaluation
from app.rules.language.values import Mask
from app.rules.ready import ReadyRule
from app.rules.sessions import ClickColumns, SessionRules
from app.scoring.alerting import flooding, shortened
from app.scoring.clicks import Seen
from app.state.flow import Flow
from app.state.standing import Standing
from app.state.state import State
from schemas.outputs import RuleHit, RuleMode, Severity

_IS_NEW: Final = [feature.name for feature in CLICK_FEATURES].index("is_new_session")


def judge_sessions(
    state: State, book: RuleBook, rules: SessionRules, clicks: ScoredClicks, seen: Seen
) -> list[MetRule]:
    """Let each of ``rules`` look at ``clicks`` as they were ``seen``; tells which sessions meet one for the first time,
    in the order of their clicks."""
    session = np.empty_like(seen.place)
    session[seen.place] = seen.sessions.session
    return list(_Judge(state, book, rules, clicks, session).met())


class _Judge:
    """Judges clicks [n], ``session`` [n] being numbers of their sessions."""

    def __init__(self, state: State, book: RuleBook, rules: SessionRules, clicks: ScoredClicks, session: Ints) -> None:
        self._state = state
        self._book = book
        self._rules = rules
        self._clicks = clicks
        self._session = session

    def met(self) -> Iterator[MetRule]:
        """See `judge_sessions`."""
        clicks, block = self._clicks, self._book.ruleset.guard.orders
        holds, found = self._rules.met(ClickColumns(clicks.clicks, clicks.features, clicks.ts))
        begun = np.cumsum(clicks.features[:, _IS_NEW] > 0)
        new = deque(self._firsts(holds))
        for start, stop in _runs(clicks.partition):
            flow = self._state.session_flows.setdefault(int(clicks.partition[start]), Flow())
            counted = int(begun[start - 1]) if start else 0
            while new and new[0][0] < stop:
                place, number = new.popleft()
                flow.next_orders(int(begun[place]) - counted, block, self._rules.keys)
                counted = int(begun[place])
                yield self._met(place, number, found, flow)
            flow.next_orders(int(begun[stop - 1]) - counted, block, self._rules.keys)

    def _firsts(self, holds: Mask) -> Iterator[tuple[int, int]]:
        """The clicks at which a session meets a rule for the first time, and the rules' numbers, in order."""
        users, starts = self._clicks.users, self._clicks.session_started_at
        none = len(self._session)
        found = []
        for number, places in enumerate(map(np.flatnonzero, holds)):
            first = np.full(none, none)
            first[self._session[places[::-1]]] = places[::-1]
            found += [(place, number) for place in first[first < none].tolist()]
        keys = [xxh3_64_intdigest(ready.key.encode()) for ready in self._rules.rules]
        for place, number in sorted(found):
            if self._standing(users[place]).meets(keys[number], int(starts[place])):
                yield place, number

    def _standing(self, user: str) -> Standing:
        slot = self._state.table.slot(user)
        assert slot is not None
        return self._state.table.standing(slot)

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
            technique=rule.technique,
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
        title = shortened(f"{(rule.text or rule.id).rstrip('.')}: {self._rules.explain(number, found, place)}")
        key = f"risk:session:{session}:{rule.reason}"
        severity: Severity = "info"
        if rule.mode == "live":
            severity = "critical" if rule.action and SEVERITY[rule.action] >= SEVERITY["block"] else "warning"
        told = rule.reason, rule.technique
        return [RaisedAlert("risk", key, severity, title, ("session", session), 1, ts, ts, *told)]


def _runs(partition: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    """Where each partition's clicks begin and end; they lie side by side."""
    return pairwise([0, *((partition[1:] != partition[:-1]).nonzero()[0] + 1).tolist(), len(partition)])
