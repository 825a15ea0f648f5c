"""Whether what a file holds has the shape of a ruleset; if not, what is wrong with each of its parts."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import inspect

from app.rules.language.errors import meant
from app.rules.problems import Problem, RulesetError
from schemas.ruleset import Policy, Rule, Ruleset, Snooze, ValueList

_PARTS: Final[dict[str, type[msgspec.Struct]]] = {
    "policies": Policy,
    "rules": Rule,
    "lists": ValueList,
    "snoozes": Snooze,
}
_PLACE: Final = re.compile(r"\$\.?([^`]*)")
_UNKNOWN: Final = re.compile(r"unknown field `(.+)`")


def shaped(found: object) -> Ruleset:
    """The ruleset that ``found`` is, whose scalars are text.

    Raises:
        RulesetError: it is none; its problems have no lines yet.
    """
    try:
        return msgspec.convert(found, Ruleset, strict=False)
    except msgspec.ValidationError as error:
        raise RulesetError(list(_of_parts(found)) or [_problem(error, "", Ruleset)]) from None


def _of_parts(found: object) -> Iterator[Problem]:
    """The first thing that is wrong with each rule, policy, list and snooze."""
    for section, kind in _PARTS.items():
        parts = found.get(section) if isinstance(found, dict) else None
        for index, part in enumerate(parts if isinstance(parts, list) else []):
            try:
                msgspec.convert(part, kind, strict=False)
            except msgspec.ValidationError as error:
                yield _problem(error, f"{section}[{index}]", kind)


def _problem(error: msgspec.ValidationError, within: str, kind: type[msgspec.Struct]) -> Problem:
    message, _, place = str(error).partition(" - at `")
    match = _PLACE.match(place)
    below = match[1] if match else ""
    where = ".".join(filter(None, (within, below)))
    return Problem(where or "the file", message + _instead(message, below, kind))


def _instead(message: str, below: str, kind: type[msgspec.Struct]) -> str:
    """What may stand there, as the end of a message."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    if not below and (unknown := _UNKNOWN.search(message)):
        return meant(unknown[1], fields)
    values = _values(inspect.type_info(fields[below])) if below in fields else []
    return f"; write {', '.join(values[:-1])} or {values[-1]}" if values and "enum" in message else ""


def _values(kind: inspect.Type) -> list[str]:
    """What a type allows, if that is one of some words."""
    if isinstance(kind, inspect.UnionType):
        return [value for one in kind.types for value in _values(one)]
    return [str(value) for value in kind.values] if isinstance(kind, inspect.LiteralType) else []
