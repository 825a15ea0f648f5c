"""What is wrong with an expression is said at its place."""

import pytest

from app.rules.language.errors import ExpressionError
from app.rules.language.parser import parse
from tests.rules.language.columns import FIELDS


def wrong(expression: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(expression, FIELDS, ["some"])
    return caught.value


@pytest.mark.parametrize(
    ("expression", "column", "said"),
    [
        ("", 1, "the expression ends where a value should follow"),
        ("a > ", 4, "the expression ends"),
        ("(a > 1", 7, "expected ')'"),
        ("a > 1)", 6, "')' cannot follow here"),
        ("aa > 1", 1, "there is no field 'aa'; did you mean a?"),
        ("a > 1 and qq", 11, "there is no field 'qq'"),
        ("a > 'x'", 1, "a is a number, and 'x' is text"),
        ("t == 5", 1, 'write "5"'),
        ("t < 'x'", 3, "use == or !="),
        ("a + t > 1", 5, "'+' takes numbers, and t is text"),
        ("not a", 5, "a is a number"),
        ("f and a", 7, "'and' joins what is true or false, and a is a number"),
        ("a + 1", 1, "a condition must be true or false"),
        ("1 < a < 3", 7, "a < b and b < c"),
        ("t in [1]", 7, "1 is a number, and t is text"),
        ("t in [a]", 7, "a list holds constants"),
        ("t in @none", 6, "there is no list 'none'; there are some"),
        ("a in @some", 1, "the entries of lists are text"),
        ("@some", 1, "a list stands after `in`"),
        ("foo(1) > 2", 1, "there is no function 'foo'"),
        ("min(1) > 1", 1, "min(x, y, ...)"),
        ("len(a) > 1", 5, "'len' takes text"),
        ("coalesce(a, t) == 1", 13, "all of one type"),
        ("a > 5q", 6, "'q' is no unit"),
        ("a > 1 $", 7, "'$' means nothing here"),
        ('t == "x', 6, "no closing quote"),
        ("t == ''", 6, "is_missing"),
        ("a > 1e999", 5, "too large"),
        ("a not 5", 7, "expected 'in'"),
        ("__import__('os')", 1, "there is no function"),
    ],
)
def test_an_error_points_at_its_column(expression: str, column: int, said: str) -> None:
    error = wrong(expression)
    assert (error.line, error.column) == (1, column)
    assert said in error.message
    assert error.pointed().splitlines()[1].index("^") == column - 1


def test_an_error_on_a_later_line_shows_that_line() -> None:
    error = wrong("f and\n  a + f > 2\n  or f")
    assert (error.line, error.column) == (2, 7)
    assert error.pointed() == "  a + f > 2\n      ^"


@pytest.mark.parametrize(
    "expression",
    ["(" * 1000 + "a > 1" + ")" * 1000, "not " * 900 + "f", "-" * 1000 + "a > 1", "abs(" * 700 + "a" + ")" * 700],
)
def test_a_thousand_deep_is_refused_at_the_place_where_it_is_too_deep(expression: str) -> None:
    error = wrong(expression)
    assert "nests deeper than 32 levels" in error.message
    assert error.column <= 4 * 32 + 1


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("f" + " and f" * 500, "more than 400 parts"),
        ("a" + " + a" * 500 + " > 1", "more than 400 parts"),
        ("a > 1 " * 1000, "6,000 characters and 4,000 are allowed"),
        (f"a in [{','.join(['1'] * 1001)}]", "1,001 constants"),
    ],
)
def test_what_is_too_long_is_refused(expression: str, said: str) -> None:
    assert said in wrong(expression).message
