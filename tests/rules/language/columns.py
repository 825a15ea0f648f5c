"""Four orders, some things of which are missing, to try expressions on."""

import numpy as np

from app.rules.language.nodes import Type
from app.rules.language.parser import parse
from app.rules.language.program import NamedList, Program
from app.rules.language.values import Column, Flags, Numbers, Texts
from app.rules.lists import named_list
from schemas.ruleset import Entry

NAN = float("nan")
COLUMNS: dict[str, Column] = {
    "a": Numbers.of(np.array([1.0, 2.0, NAN, 4.0])),
    "b": Numbers.of(np.array([0.0, 1.0, 2.0, 3.0])),
    "t": Texts.of(["x", "Yx", None, "zz"]),
    "u": Texts.of(["x", None, "q", "ZZ"]),
    "f": Flags(np.array([True, False, True, False])),
    "ts": Numbers.of(np.array([1e12, 2e12, 3e12, 4e12])),
}
FIELDS = {
    name: Type.NUMBER if isinstance(column, Numbers) else Type.TEXT if isinstance(column, Texts) else Type.FLAG
    for name, column in COLUMNS.items()
}
LISTS: dict[str, NamedList] = {
    "some": named_list(["x", "q", Entry("zz", "2001-09-09"), Entry("Yx", "2200-01-01")]),
    "none": named_list([]),
}


def holds(expression: str) -> list[bool]:
    """For which of the four orders the expression holds."""
    program = Program([parse(expression, FIELDS, LISTS)], LISTS)
    found: list[bool] = program.evaluate(COLUMNS.__getitem__, 4).holds()[0].tolist()
    return found


def one(place: int) -> dict[str, Column]:
    """The columns of one of the four orders alone."""
    return {name: _only(column, place) for name, column in COLUMNS.items()}


def _only(column: Column, place: int) -> Column:
    if isinstance(column, Texts):
        code = column.codes[place]
        return Texts.of([column.distinct[code] if code >= 0 else None])
    if isinstance(column, Flags):
        return Flags(column.true[place : place + 1])
    known = column.missing is None or not column.missing[place]
    return Numbers.of(column.values[place : place + 1] if known else np.array([NAN]))
