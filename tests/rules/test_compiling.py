"""A ruleset that is wrong is refused with everything that is wrong."""

from typing import Any

import pytest

from app.rules.compiling import compile_ruleset
from app.rules.problems import Problem, RulesetError
from tests.rules.rulesets import book, rule, ruleset


def problems(*rules: dict[str, Any], **more: object) -> list[Problem]:
    with pytest.raises(RulesetError) as caught:
        compile_ruleset(ruleset(*rules, **more))
    return caught.value.problems


def test_all_problems_are_told_at_once_with_their_places() -> None:
    found = problems(
        rule("a", "valeu > 3"),
        rule("b", "value > 'x'", mode="off"),
        rule("c", "value > 1", expires="soon"),
        rule("c", "value > 2"),
        alerts={"window": "soon"},
        snoozes=[{"rule": "d", "field": "user_id", "value": "u", "until": "2030-01-01"}],
        lists=[{"name": "l", "kind": "block", "field": "value"}, {"name": "m", "kind": "block"}],
    )
    said = {problem.place: problem.message for problem in found}
    assert "did you mean value?" in said["rules[0] a"]
    assert "'x' is text" in said["rules[1] b"]
    assert "there is no rule 'd'" in said["snoozes[0] ('d', 'user_id', 'u')"]
    assert "is a number, and entries are text" in said["lists[0] l"]
    assert "name the field" in said["lists[1] m"]
    assert "no duration" in said["alerts[0] soon"]
    assert [problem.place for problem in found].count("rules[2] c") == 2  # no date, and twice
    assert {problem.pointed for problem in found if problem.place == "rules[0] a"} == {"valeu > 3\n^^^^^"}


@pytest.mark.parametrize(("more", "said"), [({"score": 5}, "no score"), ({"action": "freeze"}, "of an account")])
def test_a_rule_on_sessions_has_no_points_and_freezes_nobody(more: dict[str, Any], said: str) -> None:
    (found,) = problems(rule("a", "session_events > 3") | {"on": "session"} | more)
    assert said in found.message
    assert book(rule("a", "session_events > 3") | {"on": "session", "action": "block"}).sessions is not None


@pytest.mark.parametrize(
    ("thresholds", "fits"),
    [({"warn": 50, "block": 75}, True), ({"warn": 50, "block": 50}, False), ({"freeze": 10, "review": 20}, False)],
)
def test_a_stricter_action_needs_a_higher_score(thresholds: dict[str, float], fits: bool) -> None:
    policies = [{"id": "p", "thresholds": thresholds}]
    if fits:
        book(policies=policies)
    else:
        (problem,) = problems(policies=policies)
        assert "must be above" in problem.message


def test_rules_that_are_off_are_checked_and_not_in_force() -> None:
    made = book(rule("a", "true", mode="off"), rule("b", "true"), rule("c", "true", mode="shadow"))
    assert [ready.rule.id for ready in made.rules] == ["b", "c"]


def test_a_snooze_of_a_rule_that_is_off_waits_for_it() -> None:
    snooze = {"rule": "a", "field": "user_id", "value": "u", "until": "2030-01-01"}
    book(rule("a", "true", mode="off"), rule("b", "true"), snoozes=[snooze])


def test_a_thousand_rules_with_a_mistake_each_are_all_told() -> None:
    assert len(problems(*(rule(f"r{number}", f"nothing{number} > 1") for number in range(1_000)))) == 1_000
