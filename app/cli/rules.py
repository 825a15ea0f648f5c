"""``sluice rules``: check a ruleset, and what it may name."""

from dataclasses import replace
from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import json_option
from app.cli.output import report
from app.rules.book import ReadyPolicy, RuleBook
from app.rules.catalogue import CATALOGUE
from app.rules.compiling import compile_ruleset
from app.rules.problems import Problem, RulesetError
from app.rules.reading import lines_of, read_ruleset
from schemas.ruleset import Rule


@click.group()
def rules() -> None:
    """Check rulesets and put them in force."""


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check the ruleset in FILE: every rule with its types, or everything that is wrong, each with its column.

    Exit code 2 if anything is.
    """
    book = opened(file)
    report(_checked(book), as_json)


@rules.command()
@json_option
def fields(as_json: bool) -> None:
    """List what rules may name: fields with their types, units and meanings."""
    report(
        {
            field.name: f"{field.type}{f', {field.unit}' if field.unit else ''}: {field.meaning}"
            for field in CATALOGUE.fields.values()
        },
        as_json,
    )


def opened(file: Path) -> RuleBook:
    """The rule book of a file; everything that is wrong with it goes to standard error.

    Raises:
        UsageProblem: something is.
    """
    try:
        return compile_ruleset(read_ruleset(file))
    except RulesetError as error:
        for problem in _placed(error.problems, file):
            click.echo(f"{file}, {problem}" if problem.line else f"{file}: {problem}", err=True)
        count = len(error.problems)
        raise UsageProblem(f"{file} has {count} problem{'s' if count > 1 else ''}; nothing was changed") from None


def _placed(problems: list[Problem], file: Path) -> list[Problem]:
    """The problems with the lines where what they are about begins."""
    if all(problem.line or "[" not in problem.place for problem in problems):
        return problems
    lines = lines_of(file.read_text(encoding="utf-8"), [problem.place for problem in problems])
    return [replace(problem, line=line) for problem, line in zip(problems, lines, strict=True)]


def _checked(book: RuleBook) -> dict[str, object]:
    """What a ruleset holds: each rule with the types of what it names."""
    ruleset = book.ruleset
    return {
        "ruleset": book.version,
        "policies": {policy.policy.id: _steps(policy) for policy in book.policies},
        "lists": {each.name: f"{each.kind}, {len(each.entries):,} entries" for each in ruleset.lists},
        "rules": {rule.id: _told(rule, book) for rule in ruleset.rules},
    }


def _steps(ready: ReadyPolicy) -> str:
    return ", ".join(f"{action} from {least:g}" for least, action in reversed(ready.steps)) or "allow"


def _told(rule: Rule, book: RuleBook) -> dict[str, object]:
    types = {name: str(CATALOGUE.types[name]) for name in book.fields_of(rule)}
    return {
        "mode": rule.mode,
        "score": rule.score,
        "action": rule.action or "none",
        "when": " ".join(rule.when.split()),
        "types": types,
    }
