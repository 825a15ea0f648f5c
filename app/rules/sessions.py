"""Rules on sessions: what they may name, and which of them hold at each click.

They look at every click of a batch, so what they find does not depend on how the stream was cut; a session meets a rule
at the first click at which its condition holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.features.clicks import CLICK_FEATURES
from app.rules.catalogue import Catalogue, Field
from app.rules.language.explain import explained
from app.rules.language.nodes import Type
from app.rules.language.program import Evaluation, Program
from app.rules.language.values import Column, Flags, Mask, Numbers, Texts
from app.rules.ready import ReadyRule, ReadySnooze, Silence
from schemas.events import Click

# Zero stands for unknown in these features, which the one named beside tells; for a rule they are missing then.
_UNKNOWN_UNLESS: Final = {
    "price": "has_price",
    "since_purchase_seconds": "has_purchased",
    "since_add_seconds": "has_added",
}
INTENT_TEAM: Final = "intent"
_FOR_MODELS: Final = {"product_bucket", "category_bucket", "hour_sine", "hour_cosine"}
_COLUMNS: Final = {
    feature.name: place for place, feature in enumerate(CLICK_FEATURES) if feature.name not in _FOR_MODELS
}
_NUMBERS: Final = {"ts": "ms", "quantity": "products"}
_NOT_FOR_RULES: Final = {"event_id", "properties", *_COLUMNS}


def session_catalogue() -> Catalogue:
    """Everything that is known of a session at a click, the click's own fields included."""
    own = [
        Field(
            info.name,
            Type.NUMBER if info.name in _NUMBERS else Type.TEXT,
            "time of the click" if info.name == "ts" else info.name.replace("_", " "),
            _NUMBERS.get(info.name, ""),
            "click",
        )
        for info in msgspec.structs.fields(Click)
        if info.name not in _NOT_FOR_RULES
    ]
    features = [
        Field(
            feature.name,
            Type.FLAG if feature.unit == "0 or 1" else Type.NUMBER,
            feature.meaning.partition(", 0 if")[0] if feature.name in _UNKNOWN_UNLESS else feature.meaning,
            feature.unit,
            "session",
            feature.meaning.partition(", ")[0],
            feature.window,
            INTENT_TEAM,
        )
        for feature in CLICK_FEATURES
        if feature.name in _COLUMNS
    ]
    return Catalogue([*own, *features])


SESSION_CATALOGUE: Final = session_catalogue()


@dataclass(frozen=True, eq=False)
class ClickColumns:
    """What rules read at clicks [n]; ``features`` are [n, F] in the order of ``CLICK_FEATURES``, ``ts`` [n] ms."""

    clicks: Sequence[Click]
    features: NDArray[np.float32]
    ts: NDArray[np.int64]

    def read(self, name: str) -> Column:
        """The column of a field of ``SESSION_CATALOGUE``."""
        if name == "ts":
            return Numbers(self.ts.astype(np.float64))
        if name in _COLUMNS:
            return self._feature(name)
        read: Callable[[Click], Any] = attrgetter(name)
        if SESSION_CATALOGUE.types[name] is Type.TEXT:
            return Texts.of(map(read, self.clicks))
        values = [read(click) for click in self.clicks]
        return Numbers.of(np.array([np.nan if value is None else value for value in values], np.float64))

    def _feature(self, name: str) -> Column:
        values = self.features[:, _COLUMNS[name]]
        if SESSION_CATALOGUE.types[name] is Type.FLAG:
            return Flags(values > 0)
        wide = np.asarray(np.round(values.astype(np.float64), 6), np.float64)
        if name in _UNKNOWN_UNLESS:
            return Numbers.of(np.where(self.features[:, _COLUMNS[_UNKNOWN_UNLESS[name]]] > 0, wide, np.nan))
        return Numbers(wide)


class SessionRules:
    """The rules on sessions that are in force.

    Args:
        rules: those that are not off.
        program: computes their conditions, in this order.
        snoozes: of them.
    """

    def __init__(self, rules: Sequence[ReadyRule], program: Program, snoozes: Sequence[ReadySnooze]) -> None:
        self.rules = tuple(rules)
        self.keys = frozenset(rule.key for rule in rules)
        self._program = program
        self._silence = Silence(rules, snoozes)

    def met(self, columns: ClickColumns) -> tuple[Mask, Evaluation]:
        """Which rules hold at which clicks [rules, n], and the values that they hold for."""
        evaluation = self._program.evaluate(columns.read, len(columns.ts))
        holds = evaluation.holds()
        self._silence.fall(holds, lambda: columns.ts, columns.read)
        return holds, evaluation

    def explain(self, rule: int, found: Evaluation, place: int) -> str:
        """Why a rule holds at the click at ``place``."""
        ready = self.rules[rule]
        return explained(ready.condition, ready.rule.when, found, place, SESSION_CATALOGUE.told)
