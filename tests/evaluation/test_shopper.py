"""The shopper test is itself held to the contract: a wrong label would judge a right answer wrong."""

import re
from collections import Counter
from typing import get_args

import msgspec
import pytest

from app.evaluation.shopper.load import Example, ShopLanguage, shopper
from schemas.events import MAX_QUERY
from schemas.outputs import QUERY_INTENTS, SlotValues

SHOPS: tuple[ShopLanguage, ...] = get_args(ShopLanguage)
SLOTS = SlotValues.__struct_fields__
AS_WRITTEN = {"category", "brand", "size"}
# Only between Latin letters: Chinese sets no limits between words.
NOT_INSIDE_A_WORD = r"(?!(?<=[A-Za-z])[A-Za-z])"
PRICES = {"price_min", "price_max"}


@pytest.fixture(params=SHOPS)
def examples(request: pytest.FixtureRequest) -> list[Example]:
    return shopper(request.param)


def test_every_line_fits_the_contract(examples: list[Example]) -> None:
    for example in examples:
        slots = msgspec.convert(example.slots, SlotValues)
        assert set(example.slots) <= set(SLOTS), example
        assert msgspec.to_builtins(slots) == example.slots, example
        assert 0 < len(example.text) <= MAX_QUERY, example
        assert example.text == example.text.strip(), example


def test_category_brand_and_size_are_whole_words_as_written(examples: list[Example]) -> None:
    for example in examples:
        for name in AS_WRITTEN & example.slots.keys():
            written = re.escape(str(example.slots[name]))
            assert re.search(rf"{NOT_INSIDE_A_WORD}{written}{NOT_INSIDE_A_WORD}", example.text), example


def test_prices_are_positive_and_ordered(examples: list[Example]) -> None:
    for example in examples:
        prices = [example.slots[name] for name in ("price_min", "price_max") if name in example.slots]
        assert all(isinstance(price, float) and price > 0 for price in prices), example
        assert prices == sorted(prices, key=float), example


def test_a_currency_stands_only_beside_a_price(examples: list[Example]) -> None:
    for example in examples:
        assert "currency" not in example.slots or PRICES & example.slots.keys(), example


def test_no_text_appears_twice_in_either_shop() -> None:
    texts = Counter(example.text.casefold() for shop in SHOPS for example in shopper(shop))
    assert [text for text, count in texts.items() if count > 1] == []


def test_there_is_enough_of_everything(examples: list[Example]) -> None:
    assert len(examples) >= 320
    intents = Counter[str](example.query_intent for example in examples)
    assert {intent: intents[intent] for intent in QUERY_INTENTS if intents[intent] < 14} == {}
    slots = Counter(name for example in examples for name in example.slots)
    assert {name: slots[name] for name in SLOTS if slots[name] < 14} == {}
    assert sum(bool(example.slots) for example in examples) >= 0.35 * len(examples)


def test_each_shop_mostly_speaks_its_own_language() -> None:
    for shop in SHOPS:
        languages = Counter(example.language for example in shopper(shop))
        assert languages.keys() == {"zh", "en", "other"}
        assert languages[shop] >= 320


def test_a_mislabelled_line_is_refused() -> None:
    line = b'{"text": "hi", "query_intent": "greeting", "language": "en", "slots": {}}'
    with pytest.raises(msgspec.ValidationError, match="greeting"):
        msgspec.json.decode(line, type=Example)
