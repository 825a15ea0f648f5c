"""Why a condition holds is told with the values put in."""

import pytest

from app.rules.language.explain import explained
from app.rules.language.parser import parse
from app.rules.language.program import Program
from tests.rules.language.columns import COLUMNS, FIELDS, LISTS


def told(name: str, value: float | str | bool) -> tuple[str, str]:
    shown = (
        ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
    )
    return f"the {name}", shown


def why(expression: str, place: int) -> str:
    node = parse(expression, FIELDS, LISTS)
    found = Program([node], LISTS).evaluate(COLUMNS.__getitem__, 4)
    return explained(node, expression, found, place, told)


@pytest.mark.parametrize(
    ("expression", "place", "text"),
    [
        ("a > 1 and f", 1, "the a = 2 > 1 and the f: no"),
        ("a > 1 and b >= 1d / 86400", 3, "the a = 4 > 1 and the b = 3 >= 1d / 86400"),
        ("a > 9 or b == 1 or f", 1, "the b = 1 == 1"),
        ("a > 9 or b == 1 and t != u", 3, ""),
        ("b / 2 > 1", 3, "b / 2 = 1.5 > 1"),
        ("a > b", 1, "the a = 2 > the b = 1"),
        ('t == "zz"', 3, 'the t = zz is "zz"'),
        ("t in @some", 0, "the t = x in @some"),
        ("t not in ['x']", 3, "not (the t = zz in ['x'])"),
        ("is_missing(a)", 2, "the a is missing"),
        ("not (a > 3 or f)", 1, "not (a > 3 or f)"),
        ("not f", 1, "not (the f: no)"),
        ("  contains( t,\n 'z' )", 3, "contains( t, 'z' )"),
    ],
)
def test_an_explanation_shows_the_true_parts_with_their_values(expression: str, place: int, text: str) -> None:
    assert why(expression, place) == text


def test_a_long_explanation_is_cut() -> None:
    assert len(why(" and ".join(f"b >= {number}" for number in range(-90, 0)), 0)) == 400
