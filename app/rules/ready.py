"""Rules whose conditions are parsed, and what keeps them silent: that they expired, or are snoozed for a subject."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.rules.language.nodes import Node
from app.rules.language.program import Read
from app.rules.language.values import Mask, Texts
from app.velocity.catalogue import BY_NAME as VELOCITIES
from app.velocity.catalogue import count_over
from app.velocity.definitions import Velocity
from app.velocity.entities import ENTITIES, USER
from schemas.ruleset import Rule, Snooze


@dataclass(frozen=True)
class ReadyRule:
    """A rule whose condition is parsed; it counts until ``until`` ms. ``key`` names it in this very version."""

    rule: Rule
    condition: Node
    until: int
    key: str

    @cached_property
    def subject(self) -> Node | None:
        """The only field that the condition names; None where there are several, or none."""
        found = {str(node.value): node for node in self.condition.walk() if node.op == "field"}
        return next(iter(found.values())) if len(found) == 1 else None

    @cached_property
    def counting(self) -> Velocity | None:
        """What tells how many orders there were at the device, card or whatever entity other than the user whose
        velocity the condition names first, in the time that this looks back over; None where it names none."""
        names = [str(node.value) for node in self.condition.walk() if node.op == "field"]
        named = (VELOCITIES[name] for name in names if name in VELOCITIES)
        first = next((velocity for velocity in named if velocity.entity != ENTITIES[USER]), None)
        return None if first is None else count_over(first)


@dataclass(frozen=True, slots=True)
class ReadySnooze:
    """A rule, by its place, that does not count where a field has a value, until a time in ms."""

    rule: int
    spec: Snooze
    until: int


class Silence:
    """What is to be taken back of what holds of ``rules``.

    Args:
        rules: in their places.
        snoozes: of them.
    """

    def __init__(self, rules: Sequence[ReadyRule], snoozes: Sequence[ReadySnooze]) -> None:
        self._snoozes = tuple(snoozes)
        self._until = np.array([rule.until for rule in rules], np.int64)
        self._is_any = bool(snoozes) or any(rule.rule.expires for rule in rules)

    def fall(self, holds: Mask, times: Callable[[], NDArray[np.int64]], read: Read) -> None:
        """Take back what holds of rules [rules, m] that are expired at ``times`` [m], ms, or snoozed, in place."""
        if not self._is_any:
            return
        ts = times()
        holds &= ts < self._until[:, None]
        for snooze in self._snoozes:
            if holds[snooze.rule].any():
                subject = read(snooze.spec.field)
                assert isinstance(subject, Texts)
                code = subject.index.get(snooze.spec.value, -2)
                holds[snooze.rule] &= ~((subject.codes == code) & (ts < snooze.until))
