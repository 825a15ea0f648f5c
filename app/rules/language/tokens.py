"""The words of an expression."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from app.rules.language.errors import ExpressionError

MAX_LENGTH: Final = 4_000
"""Characters of an expression."""

Kind = Literal["number", "text", "name", "list", "sign", "end"]

SECONDS: Final = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
"""Units that a number may carry: it is in seconds then, as the features are."""

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-z_]\w*)?
    |(?P<name>[A-Za-z_]\w*)
    |@(?P<list>[A-Za-z_][\w-]*)
    |"(?P<double>[^"\n]*)"
    |'(?P<single>[^'\n]*)'
    |(?P<sign><=|>=|==|!=|<>|[-+*/%()<>=,\[\]])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, its value where it has one, and where it stands."""

    kind: Kind
    text: str
    start: int
    stop: int
    value: float | str = ""


def tokens(expression: str) -> Iterator[Token]:
    """The words of ``expression``, and one of kind ``end``.

    Raises:
        ExpressionError: a character begins no word, or there are too many.
    """
    if len(expression) > MAX_LENGTH:
        found = f"it has {len(expression):,} characters and {MAX_LENGTH:,} are allowed; make several rules of it"
        raise ExpressionError(found, expression, MAX_LENGTH, MAX_LENGTH + 1)
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise ExpressionError(_unknown(expression[at]), expression, at, at + 1)
        if match["space"] is None:
            yield _token(match, expression)
        at = match.end()
    yield Token("end", "", len(expression.rstrip()), len(expression.rstrip()) + 1)


def _token(match: re.Match[str], expression: str) -> Token:
    text, start, stop = match[0], match.start(), match.end()
    if match["number"] is not None:
        return Token("number", text, start, stop, _number(match, expression))
    for quotes in ("double", "single"):
        if match[quotes] is not None:
            return Token("text", text, start, stop, match[quotes])
    if match["list"] is not None:
        return Token("list", text, start, stop, match["list"])
    return Token("name" if match["name"] is not None else "sign", text, start, stop)


def _number(match: re.Match[str], expression: str) -> float:
    unit = match["unit"]
    if unit is not None and unit not in SECONDS:
        found = f"{unit!r} is no unit; use one of {', '.join(SECONDS)}, or none"
        raise ExpressionError(found, expression, match.start("unit"), match.end())
    number = float(match["number"])
    if number > 1e300:
        raise ExpressionError("the number is too large", expression, match.start(), match.end())
    return number * SECONDS[unit] if unit else number


def _unknown(character: str) -> str:
    if character in "\"'":
        return "the text that begins here has no closing quote"
    if character == "@":
        return "after @ comes the name of a list"
    return f"{character!r} means nothing here"
