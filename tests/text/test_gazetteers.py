"""The word lists: every word in them can be found, and what folding promises."""

from importlib.resources.abc import Traversable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.folding import fold
from app.text.lexicon import lexicon, plurals, tokenise
from app.text.words import FOLDER, words

PRODUCTS = sorted(FOLDER.joinpath("products").iterdir(), key=lambda file: file.name)


@pytest.mark.parametrize("department", PRODUCTS, ids=lambda file: file.name)
def test_every_product_is_found_whole(department: Traversable) -> None:
    missed = [word for word in words(department) if len(whole(word)) != 1]
    assert missed == []


def whole(word: str) -> list[tuple[str, int, int, str]]:
    tokens = tokenise(fold(word))
    return [hit for hit in lexicon().hits(tokens) if hit[1:3] == (0, len(tokens))]


def test_a_traditional_full_width_or_capital_text_is_looked_up_like_its_plain_form() -> None:
    assert fold("行動電源 ２００元　ＸＬ Ｔ恤 NIKE") == "行动电源 200元 xl t恤 nike"


@given(st.text())
def test_folding_keeps_every_position(text: str) -> None:
    assert len(fold(text)) == len(text)


def test_capitals_that_become_two_characters_keep_their_position() -> None:
    assert fold("İstanbul SHOES") == "İstanbul shoes"


def test_plurals_follow_english_spelling() -> None:
    assert [list(plurals(word)) for word in ("dress", "watch", "baby", "toy", "shoe", "jeans")] == [
        ["dresses"],
        ["watches"],
        ["babies"],
        ["toys"],
        ["shoes"],
        [],
    ]
