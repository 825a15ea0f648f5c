"""A ruleset made ready to judge orders, batches at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.rules.catalogue import CATALOGUE, OrderColumns
from app.rules.language.explain import explained
from app.rules.language.nodes import Node
from app.rules.language.program import Evaluation, Program
from app.rules.language.values import Mask
from app.rules.ready import ReadyRule, ReadySnooze, Silence
from app.rules.sessions import SessionRules
from app.velocity.catalogue import CATALOGUE as VELOCITIES
from schemas.outputs import ACTIONS, Action
from schemas.ruleset import Policy, Rule, Ruleset, ValueList

SEVERITY: Final = {action: rank for rank, action in enumerate(ACTIONS)}
"""Actions from the mildest, 0, to the strictest."""


@dataclass(frozen=True, slots=True)
class ReadyPolicy:
    """A policy; ``steps`` are its thresholds with their actions, the strictest first."""

    policy: Policy
    condition: Node | None
    steps: tuple[tuple[float, Action], ...]
    expires_ms: int | None

    def action(self, score: int | None) -> Action:
        """What a score leads to."""
        if score is None:
            return self.policy.not_assessed
        return next((action for least, action in self.steps if score >= least), "allow")


@dataclass(frozen=True, slots=True)
class ReadyList:
    """A list that acts by itself; ``condition`` is that an order's field is on it."""

    spec: ValueList
    condition: Node

    @property
    def code(self) -> str:
        """The code of its reason."""
        return self.spec.reason or f"LIST_{self.spec.name.upper().replace('-', '_')}"


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Of orders [m]: the places of the rules and of the lists that hold for each, and that of its policy."""

    rules: list[list[int]]
    lists: list[list[int]]
    policies: list[int]
    evaluation: Evaluation | None


class RuleBook:
    """A ruleset in force.

    Args:
        ruleset: as it was written.
        rules: those on orders that are not off.
        policies: in their order.
        lists: those that act by themselves.
        snoozes: of its rules.
        program: computes the conditions of rules, lists and policies (those that have one), in this order.
        window_ms: that alerts are grouped in.
        sessions: the rules on sessions that are not off; None where there are none.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        rules: Sequence[ReadyRule],
        policies: Sequence[ReadyPolicy],
        lists: Sequence[ReadyList],
        snoozes: Sequence[ReadySnooze],
        program: Program,
        window_ms: int,
        sessions: SessionRules | None = None,
    ) -> None:
        self.ruleset = ruleset
        self.rules = tuple(rules)
        self.policies = tuple(policies)
        self.lists = tuple(lists)
        self.window_ms = window_ms
        self.sessions = sessions
        self.version = f"{ruleset.id}/{ruleset.version}"
        self.keys = frozenset(rule.key for rule in rules)
        counting = {ready.counting for ready in rules if ready.rule.mode == "live"}
        self.velocities = tuple(each for each in VELOCITIES if each.name in program.fields or each in counting)
        """What its conditions look at, of rules in shadow too, and what alerts about entities tell."""
        self._silence = Silence(rules, snoozes)
        self._program = program
        self._conditional = [place for place, policy in enumerate(policies) if policy.condition is not None]

    def fields_of(self, rule: Rule) -> list[str]:
        """The fields that a rule in force names, each once."""
        every = (*self.rules, *(self.sessions.rules if self.sessions else ()))
        nodes = (node for ready in every if ready.rule is rule for node in ready.condition.walk())
        return list(dict.fromkeys(str(node.value) for node in nodes if node.op == "field"))

    def findings(self, columns: OrderColumns) -> Findings:
        """What holds for each of the orders of ``columns``."""
        count = len(columns.orders)
        if not len(self._program):
            return Findings([[] for _ in range(count)], [[] for _ in range(count)], [0] * count, None)
        evaluation = self._program.evaluate(columns.read, count)
        holds = evaluation.holds()
        rules, lists, policies = np.split(holds, [len(self.rules), len(self.rules) + len(self.lists)])
        self._silence.fall(rules, lambda: np.array([order.ts for order in columns.orders], np.int64), columns.read)
        return Findings(_places(rules), _places(lists), self._policies(policies), evaluation)

    def explain(self, rule: int, findings: Findings, place: int) -> str:
        """Why a rule holds for the order at ``place``."""
        ready = self.rules[rule]
        assert findings.evaluation is not None
        return explained(ready.condition, ready.rule.when, findings.evaluation, place, CATALOGUE.told)

    def value(self, rule: int, findings: Findings, place: int) -> tuple[str, float | str] | None:
        """The only field that a rule names, with its value for the order at ``place``; None where there are several."""
        subject = self.rules[rule].subject
        if subject is None or findings.evaluation is None:
            return None
        value = findings.evaluation.value(subject, place)
        if value is None:
            return None
        return str(subject.value), float(value) if isinstance(value, bool) else value

    def _policies(self, holds: Mask) -> list[int]:
        """The first policy that fits each order; one without a condition fits all."""
        found = np.full(holds.shape[1], len(self.policies) - 1)
        conditions = iter(holds[::-1])
        for place in range(len(self.policies) - 1, -1, -1):
            if place in self._conditional:
                found[next(conditions)] = place
            else:
                found[:] = place
        return found.tolist()


def _places(holds: NDArray[np.bool_]) -> list[list[int]]:
    """For each column of ``holds`` [rows, m] the rows that are true."""
    found: list[list[int]] = [[] for _ in range(holds.shape[1])]
    for row, column in zip(*(index.tolist() for index in holds.nonzero()), strict=True):
        found[column].append(row)
    return found
