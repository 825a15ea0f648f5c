"""Rulesets are YAML in which every scalar is taken for what its field is."""

from pathlib import Path

import pytest

from app.rules.compiling import compile_ruleset
from app.rules.problems import Problem, RulesetError
from app.rules.reading import parse_ruleset, read_ruleset
from schemas.ruleset import Entry

HEAD = "id: x\nversion: 1.10\npolicies: [{id: p, thresholds: {block: 75}}]\n"


def problem(text: str) -> Problem:
    with pytest.raises(RulesetError) as caught:
        parse_ruleset(text)
    (found,) = caught.value.problems
    return found


def test_words_that_yaml_takes_for_something_else_stay_what_was_written() -> None:
    found = parse_ruleset(
        HEAD
        + "rules:\n- {id: a, mode: off, version: 2026-11-27, when: 'true', reason: A, text: on, owner: no, score: 9}\n"
        + "lists:\n- {name: l, entries: [NO, 0123, 1.0, true, {value: 2030-01-01, until: 2030-01-01}]}\n"
    )
    (rule,), (named,) = found.rules, found.lists
    assert (rule.mode, rule.version, rule.text, rule.owner, rule.score) == ("off", "2026-11-27", "on", "no", 9.0)
    assert named.entries == ["NO", "0123", "1.0", "true", Entry("2030-01-01", "2030-01-01")]
    assert found.version == "1.10"


@pytest.mark.parametrize(
    ("text", "line", "place", "said"),
    [
        ("", None, "the file", "Expected `object`"),
        ("- a\n", 1, "the file", "Expected `object`, got `array`"),
        ("a: [b\n", 2, "the file", "it is no YAML"),
        ("id: x\n", 1, "the file", "missing required field `version`"),
        (HEAD + "rulez: []\n", 1, "the file", "unknown field `rulez`"),
        (HEAD + "rules:\n- id: a\n  wen: b\n", 5, "rules[0]", "unknown field `wen`"),
        (HEAD + "rules:\n- {id: a, when: b, reason: low, text: t, owner: o}\n", 5, "rules[0].reason", "regex"),
        (HEAD + "rules:\n- {id: a, when: b, reason: A, text: t, owner: o,\n   score: much}\n", 6, "rules[0].score", ""),
        (
            HEAD + "rules:\n- {id: a, when: b, reason: A, text: t, owner: o, technique: Card Testing}\n",
            5,
            "rules[0].technique",
            "regex",
        ),
        (HEAD + "guard: {max_share: 2}\n", 4, "guard.max_share", "<= 1"),
        ("[" * 2000, None, "the file", ""),
    ],
)
def test_what_is_no_ruleset_is_said_with_its_line(text: str, line: int | None, place: str, said: str) -> None:
    found = problem(text)
    assert found.place == place
    assert found.line == line or line is None
    assert said in found.message


def test_all_parts_that_do_not_fit_are_told_at_once_with_what_would() -> None:
    text = HEAD + (
        "rules:\n"
        "- {id: a, when: b, reason: A, text: t, owner: o, scroe: 5}\n"
        "- {id: b, when: b, reason: B, text: t, owner: o}\n"
        "- {id: c, when: b, reason: C, text: t, owner: o, mode: active}\n"
        "- {id: d, when: b, reason: D, text: t, owner: o, action: stop}\n"
        "- much\n"
        "lists:\n"
        "- {name: l, entries: [{until: 2030-01-01}]}\n"
    )
    with pytest.raises(RulesetError) as caught:
        parse_ruleset(text)
    told = [(found.line, found.place, found.message) for found in caught.value.problems]
    assert told == [
        (5, "rules[0]", "Object contains unknown field `scroe`; did you mean score?"),
        (7, "rules[2].mode", "Invalid enum value 'active'; write live, off or shadow"),
        (8, "rules[3].action", "Invalid enum value 'stop'; write allow, block, freeze, review, verify or warn"),
        (9, "rules[4]", "Expected `object`, got `str`"),
        (11, "lists[0].entries[0]", "Object missing required field `value`"),
    ]


def test_a_list_may_lie_in_a_file_beside_the_ruleset(tmp_path: Path) -> None:
    (tmp_path / "cards.txt").write_text("c1\n\nc2\t2030-01-01\n c3 \n")
    file = tmp_path / "ruleset.yaml"
    file.write_text(HEAD + "lists:\n- {name: l, kind: block, field: card_hash, file: cards.txt, entries: [c0]}\n")
    (named,) = read_ruleset(file).lists
    assert named.entries == ["c0", "c1", Entry("c2", "2030-01-01"), "c3"]
    assert named.file is None
    (tmp_path / "cards.txt").unlink()
    with pytest.raises(RulesetError, match="cannot be read: No such file"):
        read_ruleset(file)


def test_the_starter_ruleset_is_right() -> None:
    path = Path(__file__).resolve().parents[2] / "deploy" / "ruleset.yaml"
    assert len(compile_ruleset(read_ruleset(path)).rules) >= 5
