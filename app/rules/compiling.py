"""From a ruleset to a rule book: every condition parsed and checked, everything that is wrong told at once."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar, cast

from msgspec import structs

from app.rules.book import SEVERITY, ReadyList, ReadyPolicy, RuleBook
from app.rules.catalogue import CATALOGUE
from app.rules.language.errors import ExpressionError, meant
from app.rules.language.nodes import Node, Type
from app.rules.language.parser import parse
from app.rules.language.program import NamedList, Program
from app.rules.lists import NEVER, named_list
from app.rules.problems import Problem, RulesetError
from app.rules.ready import ReadyRule, ReadySnooze
from app.rules.sessions import SESSION_CATALOGUE, SessionRules
from app.rules.times import duration, instant
from schemas.outputs import Action
from schemas.ruleset import Policy, Rule, Ruleset, Snooze, ValueList

_Part = TypeVar("_Part")
_Made = TypeVar("_Made")


def compile_ruleset(ruleset: Ruleset) -> RuleBook:
    """The rule book of ``ruleset``.

    Raises:
        RulesetError: it cannot be put in force; its problems say all that is wrong.
    """
    return _Compiler(ruleset).book()


class _Wrong(Exception):
    """A part that cannot be made ready."""

    def __init__(self, message: str, pointed: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.pointed = pointed


class _Compiler:
    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._problems: list[Problem] = []
        self._lists = {each.name for each in ruleset.lists}

    def book(self) -> RuleBook:
        ruleset = self._ruleset
        rules = self._made("rules", ruleset.rules, lambda rule: rule.id, self._rule)
        policies = self._made("policies", ruleset.policies, lambda policy: policy.id, _policy(self._condition))
        lists = self._made("lists", ruleset.lists, lambda each: each.name, _list)
        in_force = [rule for rule in rules if rule.rule.mode != "off" and rule.rule.on == "order"]
        on_sessions = [rule for rule in rules if rule.rule.mode != "off" and rule.rule.on == "session"]
        places = {rule.rule.id: place for group in (in_force, on_sessions) for place, rule in enumerate(group)}
        made = self._made(
            "snoozes", ruleset.snoozes, lambda each: (each.rule, each.field, each.value), _snooze(places, ruleset.rules)
        )
        snoozes = [each for each in made if each is not None]
        (window,) = self._made("alerts", [ruleset.alerts.window], str, duration) or [0]
        if self._problems:
            raise RulesetError(self._problems)
        acting = [ready for _, _, ready in lists if ready is not None]
        conditions = [
            *(rule.condition for rule in in_force),
            *(each.condition for each in acting),
            *(policy.condition for policy in policies),
        ]
        named = {name: entries for name, entries, _ in lists}
        program = Program([node for node in conditions if node is not None], named)
        return RuleBook(
            ruleset,
            in_force,
            policies,
            acting,
            _about(in_force, snoozes),
            program,
            window,
            _session_rules(on_sessions, named, _about(on_sessions, snoozes)),
        )

    def _made(
        self,
        section: str,
        parts: Sequence[_Part],
        key: Callable[[_Part], object],
        make: Callable[[_Part], _Made],
    ) -> list[_Made]:
        """What ``make`` makes of each part; noting those it cannot, and those that are there twice."""
        counts = Counter(map(key, parts))
        made = []
        for index, part in enumerate(parts):
            place = f"{section}[{index}] {key(part)}"
            if counts[key(part)] > 1:
                self._problems.append(Problem(place, "it is there twice; give each its own name"))
            try:
                made.append(make(part))
            except _Wrong as wrong:
                self._problems.append(Problem(place, wrong.message, pointed=wrong.pointed))
            except ValueError as error:
                self._problems.append(Problem(place, str(error)))
        return made

    def _condition(self, expression: str, types: Mapping[str, Type] = CATALOGUE.types) -> Node:
        try:
            return parse(expression, types, self._lists)
        except ExpressionError as error:
            where = f"column {error.column}" if error.line == 1 else f"line {error.line} of it, column {error.column}"
            raise _Wrong(f"when, {where}: {error.message}", error.pointed()) from None

    def _rule(self, rule: Rule) -> ReadyRule:
        if rule.on == "session" and rule.score:
            raise _Wrong("a session has no score to add points to; leave `score` out, and name an action")
        if rule.on == "session" and rule.action == "freeze":
            raise _Wrong("a freeze is of an account, and this rule is on sessions; name another action, such as block")
        until = instant(rule.expires) if rule.expires else NEVER
        return ReadyRule(rule, self._condition(rule.when, types_of(rule)), until, f"{rule.id}@{rule.version}")


def types_of(rule: Rule) -> Mapping[str, Type]:
    """What a rule may name, with its types."""
    return (SESSION_CATALOGUE if rule.on == "session" else CATALOGUE).types


def _about(rules: Sequence[ReadyRule], snoozes: Sequence[ReadySnooze]) -> list[ReadySnooze]:
    """The snoozes of ``rules``."""
    own = {rule.rule.id for rule in rules}
    return [snooze for snooze in snoozes if snooze.spec.rule in own]


def _session_rules(
    rules: Sequence[ReadyRule], lists: Mapping[str, NamedList], snoozes: Sequence[ReadySnooze]
) -> SessionRules | None:
    if not rules:
        return None
    return SessionRules(rules, Program([rule.condition for rule in rules], lists), snoozes)


def _policy(condition: Callable[[str], Node]) -> Callable[[Policy], ReadyPolicy]:
    def make(policy: Policy) -> ReadyPolicy:
        steps = _steps(policy)
        expires = duration(policy.expires_after) if policy.expires_after else None
        return ReadyPolicy(policy, condition(policy.when) if policy.when else None, steps, expires)

    return make


def _steps(policy: Policy) -> tuple[tuple[float, Action], ...]:
    thresholds = structs.asdict(policy.thresholds).items()
    given = [(cast(Action, action), float(least)) for action, least in thresholds if least is not None]
    given.sort(key=lambda step: SEVERITY[step[0]])
    for (milder, low), (stricter, high) in pairwise(given):
        if high <= low:
            raise _Wrong(f"{stricter} is stricter than {milder}, so its threshold must be above {low:g}, not {high:g}")
    return tuple((least, action) for action, least in reversed(given))


def _list(each: ValueList) -> tuple[str, NamedList, ReadyList | None]:
    entries = named_list(each.entries)
    if each.kind == "named":
        if each.field or each.score is not None:
            raise _Wrong("a list of kind named only serves `in @name`; it has no field and no score")
        return each.name, entries, None
    if each.field is None:
        raise _Wrong(f"a list of kind {each.kind} acts by itself; name the field that it looks at")
    field = Node("field", _text_field(each.field), 0, 0, value=each.field)
    return each.name, entries, ReadyList(each, Node("in", Type.FLAG, 0, 0, (field,), each.name))


def _text_field(name: str, types: Mapping[str, Type] = CATALOGUE.types) -> Type:
    found = types.get(name)
    if found is None:
        raise _Wrong(f"there is no field {name!r}{meant(name, types)}")
    if found is not Type.TEXT:
        raise _Wrong(f"{name} is {found}, and entries are text")
    return found


def _snooze(places: dict[str, int], rules: Sequence[Rule]) -> Callable[[Snooze], ReadySnooze | None]:
    known = {rule.id: rule for rule in rules}

    def make(snooze: Snooze) -> ReadySnooze | None:
        until = instant(snooze.until)
        if snooze.rule not in known:
            raise _Wrong(f"there is no rule {snooze.rule!r}{meant(snooze.rule, known)}")
        _text_field(snooze.field, types_of(known[snooze.rule]))
        return ReadySnooze(places[snooze.rule], snooze, until) if snooze.rule in places else None

    return make
