"""N-grams: one spelling for texts, and bags that no other text changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.ngrams import BUCKETS, bag_of
from tests.schemas.strategies import unhurried

WILD = [
    "",
    " ",
    "\x00",
    "\ud800",
    "a\udfff\x00b",
    "😀" * 512,
    "👩‍👩‍👧‍👦🏽",
    "שלום עולם",
    "مرحبا بالعالم",
    "\u202eabc\u202c",
    "e\u0301",
    "\u0301",
    "ﬁﬂ",
    "İI",
    "ΣΑΣ",
    "１２３ＡＢＣ，。",
    "x" * 2_500,
    "𠮷野家",
]


def bag(text: str) -> list[int]:
    buckets: list[int] = bag_of([text]).buckets.tolist()
    return buckets


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＡＢＣ　１２３", "abc 123"),
        ("Nike AIR", "nike air"),
        ("order 48213", "order 90017"),
        ("two  spaces\t\n", "two spaces "),
        (" leading", "leading"),
        ("ﬁne", "fine"),
        ("e\u0301", "é"),
        ("x" * 2_500, "x" * 2_000),
    ],
)
def test_spellings_of_the_same_text_are_the_same_bag(one: str, other: str) -> None:
    assert bag(one) == bag(other)


@pytest.mark.parametrize(("one", "other"), [("red shoes", "shoes red"), ("退货", "货退"), ("cap", "cape"), ("", "a")])
def test_different_texts_are_different_bags(one: str, other: str) -> None:
    assert bag(one) != bag(other)


@settings(unhurried, max_examples=60)
@given(texts=st.lists(st.text(max_size=40) | st.sampled_from(WILD), min_size=1, max_size=8))
def test_a_bag_is_the_same_whatever_stands_beside_it(texts: list[str]) -> None:
    together = bag_of(texts)
    assert together.buckets.min(initial=0) >= 0
    assert together.buckets.max(initial=0) < BUCKETS
    for place, text in enumerate(texts):
        assert together.buckets[together.text == place].tolist() == bag(text)


def test_chinese_is_taken_in_short_pieces_and_other_letters_in_long_ones() -> None:
    # n characters and two edges: every run of 2 and 3 of the n + 2, and the characters themselves
    assert len(bag("我要退货")) == 4 + 5 + 4
    # every run of 2 to 5 of 6, and the word
    assert len(bag("cart")) == 5 + 4 + 3 + 2 + 1


def test_buckets_are_filled_evenly() -> None:
    texts = [f"{first}{second}" for first in "abcdefghijklmnopqrst" for second in np.arange(97, 123).tolist()]
    found = np.unique(np.concatenate([bag_of(texts).buckets]))
    assert len(np.unique(found // (BUCKETS // 64))) == 64
