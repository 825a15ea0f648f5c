"""The written texts are what the recogniser learns from: their labels are valid, varied, and never told twice."""

from collections import Counter

import pytest

from app.training.corpus.load import INTENTS, LANGUAGES, Labelled, written


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


def has_between(text: str, first: str, last: str) -> bool:
    return any(first <= character <= last for character in text.casefold())
