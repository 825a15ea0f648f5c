"""The functions that a rule may call, and the types they take."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.rules.language.nodes import Type


@dataclass(frozen=True, slots=True)
class Function:
    """How a function is called.

    ``takes`` are its arguments' types, None for any; the last repeats where there may be ``most`` of them. It yields
    ``gives``, or the type of its arguments, which must be one, where that is None.
    """

    name: str
    takes: Sequence[Type | None]
    gives: Type | None
    least: int
    most: int
    told: str

    def expects(self, index: int) -> Type | None:
        """The type of an argument; None for any."""
        return self.takes[min(index, len(self.takes) - 1)]


_NUMBER, _TEXT, _FLAG = Type.NUMBER, Type.TEXT, Type.FLAG
_MANY = 8

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        Function("is_missing", [None], _FLAG, 1, 1, "is_missing(x): nothing is known of x"),
        Function("coalesce", [None], None, 2, _MANY, "coalesce(x, y, ...): the first that is not missing"),
        Function("abs", [_NUMBER], _NUMBER, 1, 1, "abs(x)"),
        Function("round", [_NUMBER], _NUMBER, 1, 1, "round(x): to the nearest whole number, halves to the even one"),
        Function("floor", [_NUMBER], _NUMBER, 1, 1, "floor(x)"),
        Function("log", [_NUMBER], _NUMBER, 1, 1, "log(x): natural logarithm, missing where x is not above 0"),
        Function("sqrt", [_NUMBER], _NUMBER, 1, 1, "sqrt(x): missing where x is below 0"),
        Function("min", [_NUMBER], _NUMBER, 2, _MANY, "min(x, y, ...)"),
        Function("max", [_NUMBER], _NUMBER, 2, _MANY, "max(x, y, ...)"),
        Function("ratio", [_NUMBER], _NUMBER, 2, 2, "ratio(x, y): x / y, and 0 where y is 0"),
        Function("len", [_TEXT], _NUMBER, 1, 1, "len(t): characters"),
        Function("lower", [_TEXT], _TEXT, 1, 1, "lower(t): in small letters"),
        Function("contains", [_TEXT], _FLAG, 2, 2, 'contains(t, "part")'),
        Function("starts_with", [_TEXT], _FLAG, 2, 2, 'starts_with(t, "part")'),
        Function("ends_with", [_TEXT], _FLAG, 2, 2, 'ends_with(t, "part")'),
    )
}
