"""What expressions mean: arithmetic, comparison, text, lists, and what is missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.language.nodes import Node, Type
from app.rules.language.parser import parse
from app.rules.language.program import Program
from app.rules.language.values import Numbers
from tests.rules.language.columns import FIELDS, LISTS, holds, one


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true", "1111"),
        ("1 < 2", "1111"),
        ("a > 1", "0101"),
        ("a = 2 or b <> 2", "1101"),
        ("-a < -1", "0101"),
        ("2 + 3 * b == 5", "0100"),
        ("(2 + 3) * b == 5", "0100"),
        ("a - b - 1 == 0", "1101"),
        ("b % 2 == 1", "0101"),
        ("abs(b - 2) >= 1", "1101"),
        ("min(a, b, 3) == 3", "0001"),
        ("max(b, 2) == 2", "1110"),
        ("round(a / 3) == 1", "0101"),
        ("floor(b / 2) == 1", "0011"),
        ("log(b) >= 0", "0111"),
        ("sqrt(a) == 2", "0001"),
        ("ratio(a, b) == 0", "1000"),
        ("a * 1h == 2h", "0100"),
        ("b < 1d and b > 0.001s", "0111"),
        ("a in [1, 4, -3]", "1001"),
        ("b not in [1, 2]", "1001"),
        ("b in [0,1,2,3,4,5,6,7,8,9]", "1111"),
        ("f", "1010"),
        ("not f and b >= 1", "0101"),
        ("f == false", "0101"),
        ("f != (b > 1)", "1001"),
        ("f or b == 1 and b == 7", "1010"),
        ('t == "x"', "1000"),
        ("t != 'x'", "0101"),
        ("t == u", "1000"),
        ("t != u", "0001"),
        ('t in ["x", "zz"]', "1001"),
        ("t in @some", "1100"),
        ("u not in @some", "0001"),
        ("t in @none", "0000"),
        ('contains(lower(t), "y")', "0100"),
        ('starts_with(t, "Y") or ends_with(u, "Z")', "0101"),
        ("contains(lower(u), lower(t))", "1001"),
        ("len(t) == 2", "0101"),
    ],
)
def test_an_expression_holds_for_the_right_orders(expression: str, expected: str) -> None:
    assert holds(expression) == [sign == "1" for sign in expected]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 0", "1101"),
        ("not a > 3", "1100"),
        ("a != 1", "0101"),
        ("a + b > 0", "1101"),
        ("a > 0 or b == 2", "1111"),
        ("a > 9 or not (b == 2)", "1101"),
        ("not (a > 9 and b == 3)", "1111"),
        ("not (a > 9 and b == 2)", "1101"),
        ("is_missing(a)", "0010"),
        ("not is_missing(t)", "1101"),
        ("is_missing(b)", "0000"),
        ("is_missing(a + 1) and is_missing(lower(t))", "0010"),
        ("is_missing(a > 1)", "0010"),
        ("coalesce(a, 9) == 9", "0010"),
        ("coalesce(a / b, a, 7) == 7", "0010"),
        ('coalesce(t, u, "none") == "q"', "0010"),
        ("coalesce(a > 1, true)", "0111"),
        ("t not in ['x']", "0101"),
    ],
)
def test_what_is_missing_makes_nothing_true_but_where_it_is_asked_for(expression: str, expected: str) -> None:
    assert holds(expression) == [sign == "1" for sign in expected]


@pytest.mark.parametrize("division", ["a / b", "a / 0", "a % b", "1 / (b - b)", "log(b - b)", "sqrt(-1 - b)"])
def test_a_number_that_there_is_none_of_is_missing(division: str) -> None:
    assert holds(f"is_missing({division})")[0]
    assert not holds(f"{division} > 0 or {division} <= 0 or not ({division} > 0)")[0]


def test_a_number_beyond_all_bounds_is_missing() -> None:
    assert holds("is_missing((b + 1) * 1e300 * 1e300)") == [True] * 4


def test_what_expressions_share_is_computed_once() -> None:
    alone = Program([parse("a / b > 2 and f", FIELDS)])
    both = Program([parse(text, FIELDS) for text in ("a / b > 2 and f", "a / b > 2 or a / b < 0", "a / b > 2 and f")])
    assert len(both) == len(alone) + 3  # 0, the comparison with it, and `or`


@pytest.mark.parametrize(
    "expression",
    ["a > 1 and f", "t == u", "t in @none or is_missing(t)", "contains(t, u)", "coalesce(a, b) > 1", "lower(t) != u"],
)
def test_one_order_is_judged_as_it_is_among_others(expression: str) -> None:
    """A column of one value must not be taken for a constant."""
    program = Program([parse(expression, FIELDS, LISTS)], LISTS)
    alone = [program.evaluate(one(place).__getitem__, 1).holds()[0, 0] for place in range(4)]
    assert alone == holds(expression)


numbers = st.none() | st.integers(-3, 3).map(float)
atoms = st.sampled_from(["x > 0", "y <= x", "x == y", "not y > 1", "x / y >= 1", "is_missing(x)", "y in [1, 2]"])
expressions = st.recursive(
    atoms,
    lambda inner: (
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner) | inner.map("not ({})".format)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(expression=expressions, x=st.lists(numbers, min_size=1, max_size=6), y=numbers)
def test_columns_agree_with_one_value_at_a_time(expression: str, x: list[float | None], y: float | None) -> None:
    program = Program([parse(expression, {"x": Type.NUMBER, "y": Type.NUMBER})])
    columns = {"x": _numbers(x), "y": _numbers([y] * len(x))}
    found = program.evaluate(columns.__getitem__, len(x)).holds()[0].tolist()
    assert found == [_kleene(expression, {"x": value, "y": y}) is True for value in x]


def _numbers(values: list[float | None]) -> Numbers:
    return Numbers.of(np.array([np.nan if value is None else value for value in values]))


def _kleene(expression: str, values: dict[str, float | None]) -> bool | None:
    """The same by Python on single values, None being neither true nor false."""
    return _value_of(parse(expression, dict.fromkeys(values, Type.NUMBER)), values)  # type: ignore[return-value]


def _value_of(node: Node, values: dict[str, float | None]) -> float | bool | None:
    args = [_value_of(arg, values) for arg in node.args]
    if node.op == "field":
        return values[str(node.value)]
    if node.op == "constant":
        assert isinstance(node.value, float)
        return node.value
    if node.op == "is_missing":
        return args[0] is None
    if node.op == "and":
        return False if False in args else None if None in args else True
    if node.op == "or":
        return True if True in args else None if None in args else False
    if None in args:
        return None
    left, *rest = args
    assert left is not None
    if node.op == "not":
        return not left
    if node.op == "in":
        assert isinstance(node.value, tuple)
        return left in node.value
    right = rest[0]
    assert right is not None
    if node.op == "/":
        return left / right if right else None
    return {">": left > right, "<=": left <= right, "==": left == right, ">=": left >= right}[node.op]
