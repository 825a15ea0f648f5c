"""Numbers as people write them."""

import pytest

from app.text.numbers import number, scale, spread


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500", 500),
        ("1,299.50", 1299.5),
        ("1.5k", 1500),
        ("3k", 3000),
        ("1w", 10_000),
        ("1.2万", 12_000),
        ("1千5", 1500),
        ("5百", 500),
        ("五百", 500),
        ("一千二", 1200),
        ("两百五", 250),
        ("二百五十", 250),
        ("一万二", 12_000),
        ("一千零五", 1005),
        ("三万五千", 35_000),
        ("十五", 15),
        ("a hundred", 100),
        ("five hundred", 500),
        ("two thousand five hundred", 2500),
        ("twenty five", 25),
        ("a grand", 1000),
    ],
)
def test_numbers_have_the_value_people_mean(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["1.2.3", "9" * 13, "零", "zero"])
def test_what_is_no_amount_has_no_value(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "ends"),
    [("七八百", (700, 800)), ("两三千", (2000, 3000)), ("八九十", (80, 90)), ("一百", None), ("十五六", None)],
)
def test_two_digits_in_one_place_are_both_ends(text: str, ends: tuple[float, float] | None) -> None:
    assert spread(text) == ends


def test_the_unit_of_the_second_number_serves_the_first() -> None:
    assert [scale(text) for text in ("3k", "5千", "2百", "1w", "300")] == [1000, 1000, 100, 10_000, 1]
