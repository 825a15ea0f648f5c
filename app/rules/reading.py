"""A ruleset's file: YAML to structs, the lists' own files beside it.

All scalars are read as text and then take the type that their field has: so `no` is a country, `off` a mode, and 1.10
another version than 1.1.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec
import yaml

from app.rules.problems import Problem, RulesetError
from app.rules.shape import shaped
from schemas.ruleset import Entry, Ruleset, ValueList

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def read_ruleset(path: Path) -> Ruleset:
    """The ruleset of a file, with the entries of its lists' files put in.

    Raises:
        RulesetError: it cannot be read, or is no ruleset.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise RulesetError([Problem(str(path), f"cannot be read: {reason}")]) from None
    ruleset = parse_ruleset(text)
    lists = [_with_file(each, path.parent) for each in ruleset.lists]
    return msgspec.structs.replace(ruleset, lists=lists)


def parse_ruleset(text: str) -> Ruleset:
    """The ruleset that YAML ``text`` holds.

    Raises:
        RulesetError: it holds none; its problems say what is wrong with each part of it.
    """
    try:
        found = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise RulesetError([_yaml_problem(error)]) from None
    except RecursionError:
        raise RulesetError([Problem("the file", "it nests too deep")]) from None
    try:
        return shaped(found)
    except RulesetError as error:
        lines = lines_of(text, [problem.place for problem in error.problems])
        problems = [replace(problem, line=line) for problem, line in zip(error.problems, lines, strict=True)]
        raise RulesetError(problems) from None


def lines_of(text: str, places: Sequence[str]) -> list[int | None]:
    """The lines of places like ``rules[3].when`` in a ruleset's ``text``.

    Where a place is missing it is the line of what should hold it; None where there is nothing at all.
    """
    root = yaml.compose(text, Loader=_LOADER)
    return [_line(root, re.findall(r"(\w+)|\[(\d+)\]", place.partition(" ")[0])) for place in places]


def _line(node: yaml.Node | None, steps: Sequence[tuple[str, str]]) -> int | None:
    for name, index in steps:
        below = _below(node, name, index)
        if below is None:
            break
        node = below
    return None if node is None else node.start_mark.line + 1


def _below(node: yaml.Node | None, name: str, index: str) -> yaml.Node | None:
    if index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
        return cast(yaml.Node, node.value[int(index)])
    if name and isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == name), None)
    return None


def _yaml_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    message = str(getattr(error, "problem", None) or error)
    return Problem("the file", f"it is no YAML: {message}", None if mark is None else mark.line + 1)


def _with_file(each: ValueList, folder: Path) -> ValueList:
    if each.file is None:
        return each
    path = folder / each.file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise RulesetError([Problem(f"list {each.name}", f"its file {path} cannot be read: {reason}")]) from None
    entries = [*each.entries, *(_entry(line) for line in lines if line.strip())]
    return msgspec.structs.replace(each, entries=entries, file=None)


def _entry(line: str) -> str | Entry:
    value, tab, until = line.partition("\t")
    return Entry(value.strip(), until.strip()) if tab and until.strip() else value.strip()
