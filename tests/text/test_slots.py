"""Slots of shoppers' texts, case by case: one line of ``cases/`` each."""

from collections.abc import Iterator
from math import inf
from pathlib import Path
from time import process_time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.slots import Slots, slots_of

CASES = Path(__file__).parent / "cases"
NAMES = {"c": "category", "b": "brand", "k": "color", "s": "size", "$": "currency"}


def cases() -> Iterator[tuple[str, Slots]]:
    for file in sorted(CASES.glob("*.txt")):
        for line in file.read_text("utf-8").splitlines():
            if line and not line.startswith("#"):
                text, _, expected = line.rpartition("|")
                yield text.strip(), parsed(expected.strip())


def parsed(expected: str) -> Slots:
    found: dict[str, str | float] = {}
    for part in filter(None, expected.split("; ")):
        key, _, value = part.partition("=")
        if key == "p":
            low, _, high = value.partition("..")
            found |= {name: float(bound) for name, bound in (("price_min", low), ("price_max", high)) if bound}
        else:
            found[NAMES[key]] = value
    return msgspec.convert(found, Slots)


@pytest.mark.parametrize(("text", "expected"), list(cases()))
def test_slots_are_what_the_shopper_wants(text: str, expected: Slots) -> None:
    assert slots_of(text) == expected


@given(st.text(max_size=300) | st.text("不要换红鞋大M l$0一百千-到块 的size for\ud800\u202e١🙂", max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_has_slots_that_stand_in_it(text: str) -> None:
    slots = slots_of(text)
    assert all(said is None or said in text for said in (slots.category, slots.brand, slots.size))
    assert all(bound is None or 0 < bound < inf for bound in (slots.price_min, slots.price_max))


@pytest.mark.parametrize(
    "unit",
    [
        "🙂",
        "不要",
        "M ",
        "ipad ",
        "一",
        "one ",
        "1-",
        "红的",
        "for ",
        "shoe",
        "\ud800",
        "שלום ",
        "size 9 ",
        "买",
        "1 x ",
    ],
)
def test_time_grows_with_the_length_of_the_text(unit: str) -> None:
    short, long = unit * (200 // len(unit)), unit * (2_000 // len(unit))
    assert seconds(long) < 40 * seconds(short) + 2e-3


def seconds(text: str) -> float:
    """The least CPU time of three readings."""
    taken = []
    for _ in range(3):
        start = process_time()
        slots_of(text)
        taken.append(process_time() - start)
    return min(taken)


def test_a_case_file_line_without_slots_expects_none() -> None:
    assert parsed("") == Slots()
