"""The written texts are what the recogniser learns from: their labels are valid, varied, and never told twice."""

from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from app.training.corpus import load
from app.training.corpus.load import INTENTS, LANGUAGES, Example, Labelled, chosen_by, written


@pytest.fixture(scope="module")
def texts() -> list[Labelled]:
    return written()


def test_every_intent_has_at_least_150_written_texts_in_chinese_and_in_english(texts: list[Labelled]) -> None:
    counts = Counter((text.language, text.intent) for text in texts)
    short = {(language, intent) for language in ("zh", "en") for intent in INTENTS if counts[language, intent] < 150}
    assert not short


def test_other_languages_are_searches_or_other(texts: list[Labelled]) -> None:
    counts = Counter(text.intent for text in texts if text.language == "other")
    assert set(counts) == {"find_product", "other"}
    assert min(counts.values()) >= 100


def test_every_label_is_the_contracts(texts: list[Labelled]) -> None:
    assert {text.intent for text in texts} == set(INTENTS)
    assert {text.language for text in texts} == set(LANGUAGES)


def test_no_text_is_written_twice(texts: list[Labelled]) -> None:
    counts = Counter(text.text.casefold() for text in texts)
    assert [text for text, count in counts.items() if count > 1] == []


def test_chinese_texts_carry_chinese_characters_and_english_ones_latin_letters(texts: list[Labelled]) -> None:
    assert [text for text in texts if text.language == "zh" and not has_between(text.text, "一", "鿿")] == []
    assert [text for text in texts if text.language == "en" and not has_between(text.text, "a", "z")] == []


@pytest.mark.parametrize("language", ["zh", "en"])
class TestTextsForChoosing:
    def test_every_intent_has_at_least_15(self, language: Literal["zh", "en"]) -> None:
        counts = Counter(example.query_intent for example in chosen_by(language))
        assert min(counts[intent] for intent in INTENTS) >= 15

    def test_none_is_a_training_text(self, language: Literal["zh", "en"], texts: list[Labelled]) -> None:
        known = {bare(text.text) for text in texts}
        assert [example.text for example in chosen_by(language) if bare(example.text) in known] == []

    def test_none_is_told_twice(self, language: Literal["zh", "en"]) -> None:
        examples = chosen_by(language)
        assert len({bare(example.text) for example in examples}) == len(examples)

    def test_slots_are_named_as_written_and_a_currency_beside_a_price(self, language: Literal["zh", "en"]) -> None:
        assert [example for example in chosen_by(language) if not sound(example)] == []


def test_a_line_that_does_not_fit_is_named_by_file_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "ROOT", tmp_path)
    (tmp_path / "dev_en.jsonl").write_text('{"text": "hi", "query_intent": "greeting", "language": "en"}\n')
    with pytest.raises(ValueError, match=r"dev_en\.jsonl, line 1: Invalid enum value 'greeting'"):
        chosen_by("en")


def sound(example: Example) -> bool:
    slots = example.slots
    quoted = [value for value in (slots.category, slots.brand, slots.size) if value is not None]
    priced = slots.price_min is not None or slots.price_max is not None
    return all(value in example.text for value in quoted) and (slots.currency is None or priced)


def bare(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum()) or text


def has_between(text: str, first: str, last: str) -> bool:
    return any(first <= character <= last for character in text.casefold())
