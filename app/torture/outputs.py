"""Outputs as they were found against outputs as they should be, while both are being read."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.torture.visits import Expected, expected
from schemas.topics import DEAD_LETTER, INTENT_EVENTS, RISK_EVENTS, SESSION_EVENTS

TOLERANCE = 1e-5
"""Of scores: which events share a call of the model is left open."""

# Points come from the log-odds, which in float32 tell probabilities near 1 apart no better than this.
_POINTS, _OF_POINTS = 0.0101, 0.02

_SCORES = {INTENT_EVENTS: "purchase_probability", RISK_EVENTS: "probability"}
_SCORED_AT = "scored_at"
_EXAMPLES = 5

Body = dict[str, Any]
Bodies = defaultdict[str, dict[str, Body]]
"""By topic and id."""


@dataclass
class Counts:
    """What was found, in numbers, with a few examples of each kind of fault.

    ``repeated`` are the clicks and orders that were scored more than once, each with all the outputs that it leads to.
    """

    outputs: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    duplicated: int = 0
    repeated: int = 0
    different: int = 0
    reordered: int = 0
    wrong_sessions: int = 0
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def note(self, kind: str, what: str, count: int = 1) -> None:
        """Count a fault of a kind."""
        setattr(self, kind, getattr(self, kind) + count)
        if len(self.examples[kind]) < _EXAMPLES:
            self.examples[kind].append(what)

    def add(self, other: "Counts") -> None:
        """Take in what was counted elsewhere."""
        self.outputs.update(other.outputs)
        for name in ("lost", "duplicated", "repeated", "different", "reordered", "wrong_sessions"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for kind, found in other.examples.items():
            self.examples[kind] = [*self.examples[kind], *found][:_EXAMPLES]


class Comparison:
    """Of one partition.

    Args:
        counts: that it adds to.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._wanted: Bodies = defaultdict(dict)
        self._found: Bodies = defaultdict(dict)
        self._scores: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._latest: dict[tuple[str, bytes | None], int] = {}
        self._sessions: Counter[str] = Counter()

    def wants_found(self, topic: str) -> bool:
        """Whether more was expected of a topic than found so far."""
        return len(self._wanted[topic]) > len(self._found[topic])

    def expect(self, topic: str, value: bytes | None) -> None:
        """One output of the reference."""
        body, id_ = _read(topic, value)
        self._match(self._found, self._wanted, topic, id_, body)

    def find(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """One output of the group, in the order of its log."""
        body, id_ = _read(topic, value)
        self._counts.outputs[topic] += 1
        if id_ in self._scores[topic]:
            self._repeated(topic, id_, body)
            return
        self._scores[topic][id_] = body.get(_SCORES.get(topic, ""), 0.0)
        self._in_order(topic, key, body)
        if topic == SESSION_EVENTS:
            self._is_as_it_says(body)
        self._match(self._wanted, self._found, topic, id_, body)

    def end(self) -> None:
        """Both are complete: what has no match never gets one."""
        for topic, wanted in self._wanted.items():
            for id_ in wanted:
                self._counts.note("lost", f"{topic} {id_}")
        for topic, found in self._found.items():
            for id_ in found:
                self._counts.note("different", f"{topic} {id_}: nothing like it should exist")
        for session, count in self._sessions.items():
            if count > 1:
                self._counts.note("wrong_sessions", f"{session} was closed {count} times")

    def _match(self, others: Bodies, own: Bodies, topic: str, id_: str, body: Body) -> None:
        other = others[topic].pop(id_, None)
        if other is None:
            own[topic][id_] = body
        elif body != other and (difference := _difference(body, other)):
            self._counts.note("different", f"{topic} {id_}: {difference}")

    def _repeated(self, topic: str, id_: str, body: Body) -> None:
        self._counts.note("duplicated", f"{topic} {id_}")
        self._counts.repeated += topic in _SCORES
        score = body.get(_SCORES.get(topic, ""), 0.0)
        if abs(score - self._scores[topic][id_]) > TOLERANCE:
            self._counts.note(
                "different", f"{topic} {id_}: repeated with score {score}, not {self._scores[topic][id_]}"
            )

    def _in_order(self, topic: str, key: bytes | None, body: Body) -> None:
        ts = body.get("ts", 0)
        if topic != DEAD_LETTER and ts < self._latest.get((topic, key), 0):
            self._counts.note("reordered", f"{topic} {body['event_id']}: {ts} after {self._latest[topic, key]}")
        self._latest[topic, key] = max(ts, self._latest.get((topic, key), 0))

    def _is_as_it_says(self, body: Body) -> None:
        """A session must be what its id says."""
        wanted = expected(body["session_id"])
        if wanted is None:
            return
        self._sessions[body["session_id"]] += 1
        found = Expected(body["events"], round(body["cart_value"] * 100), body["ended_at"] - body["started_at"])
        if found != wanted:
            self._counts.note("wrong_sessions", f"{body['session_id']} has {found}")


def _read(topic: str, value: bytes | None) -> tuple[Body, str]:
    if topic == DEAD_LETTER:
        text = (value or b"").decode(errors="replace")
        return {"event_id": text}, text
    body: Body = msgspec.json.decode(value or b"null")
    body.pop(_SCORED_AT, None)  # the wall clock's
    return body, body["event_id"]


def _difference(one: object, other: object, path: str = "") -> str | None:
    """Where two outputs differ; None if they are the same but for the last bits of scores."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = one.keys() | other.keys()
        found = (_difference(one.get(name), other.get(name), f"{path}.{name}") for name in sorted(names))
        return next((difference for difference in found if difference), None)
    if path == ".reasons" and isinstance(one, list) and isinstance(other, list):
        return _reasons_differ(one, other)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        found = (_difference(*pair, f"{path}[{at}]") for at, pair in enumerate(zip(one, other, strict=True)))
        return next((difference for difference in found if difference), None)
    if path == ".risk_score" and isinstance(one, int) and isinstance(other, int):
        return None if abs(one - other) <= 1 else f"risk_score {one} and {other}"
    if isinstance(one, float) and isinstance(other, float):
        most = _POINTS + _OF_POINTS * abs(other) if path.endswith(".contribution") else TOLERANCE * max(1.0, abs(other))
        return None if abs(one - other) <= most else f"{path.lstrip('.')} {one} and {other}"
    return None if one == other else f"{path.lstrip('.')} {one!r} and {other!r}"


def _reasons_differ(one: list[Any], other: list[Any]) -> str | None:
    """Where reasons differ: those of nearly equal weight may change places, and the weakest its name."""
    codes, others = [_code(each) for each in one], [_code(each) for each in other]
    if len(codes) != len(others) or len(set(codes) - set(others)) > 1:
        return f"reasons {codes} and {others}"
    if not all(isinstance(each, dict) for each in (*one, *other)):  # their weights are in the risk event
        return None
    ranked = (
        _difference(left["contribution"], right["contribution"], ".reasons.contribution")
        for left, right in zip(one, other, strict=True)
    )
    theirs = dict(zip(others, other, strict=True))
    named = (
        _difference(each, theirs[code], f".reasons.{code}")
        for code, each in zip(codes, one, strict=True)
        if code in theirs
    )
    return next((difference for difference in (*ranked, *named) if difference), None)


def _code(reason: Any) -> str:  # noqa: ANN401 - a reason or its code
    return str(reason["code"] if isinstance(reason, dict) else reason)
