"""Made texts: the same seed makes the same, every template can be filled, and none of them is a text for choosing."""

import random
from collections import Counter
from typing import Literal

import pytest

from app.training.corpus.grammar import CHOICE, FILLER, Grammar, generated, grammar
from app.training.corpus.load import INTENTS, chosen_by, written
from app.training.corpus.typing_slips import slipped

MADE = 4_000


@pytest.fixture(scope="module", params=["zh", "en"])
def made_of(request: pytest.FixtureRequest) -> Grammar:
    language: Literal["zh", "en"] = request.param
    return grammar(language, written())


def test_the_same_seed_makes_the_same_texts_and_another_seed_others() -> None:
    assert generated(random.Random(7), 200) == generated(random.Random(7), 200)
    assert generated(random.Random(7), 200) != generated(random.Random(8), 200)


def test_more_texts_of_a_seed_begin_with_the_same_ones() -> None:
    assert generated(random.Random(7), 300)[:200] == generated(random.Random(7), 200)


def test_languages_and_intents_are_equally_many() -> None:
    counts = Counter((text.language, text.intent) for text in generated(random.Random(1), 32 * 5))
    assert counts == {(language, intent): 5 for language in ("zh", "en") for intent in INTENTS}


def test_made_texts_vary() -> None:
    texts = {text.text for text in generated(random.Random(1), MADE)}
    assert len(texts) > 0.85 * MADE


def test_no_made_text_is_one_for_choosing() -> None:
    held_out = {example.text for language in ("zh", "en") for example in chosen_by(language)}
    shared = [text.text for text in generated(random.Random(1), MADE) if text.text in held_out]
    assert len(shared) <= MADE / 1_000


def test_every_template_is_filled_without_a_trace(made_of: Grammar) -> None:
    rng = random.Random(3)
    for intent in INTENTS:
        for template in made_of.templates[intent]:
            text = made_of.expanded(template, rng)
            assert text, template
            assert not set("(){}[]|#") & set(text), template


def test_every_filler_that_a_template_names_exists(made_of: Grammar) -> None:
    named = {name for templates in made_of.templates.values() for text in templates for name in FILLER.findall(text)}
    assert named <= set(made_of.fillers)


def test_every_intent_has_sixty_wordings(made_of: Grammar) -> None:
    for intent, templates in made_of.templates.items():
        assert sum(_wordings(template) for template in templates) >= 60, intent


def test_a_filler_that_does_not_exist_is_named(made_of: Grammar) -> None:
    with pytest.raises(KeyError, match="planet"):
        made_of.expanded("to {planet}", random.Random(0))


def test_a_short_text_has_no_room_for_a_slip() -> None:
    assert {slipped("hi", "en", random.Random(seed)) for seed in range(20)} == {"hi"}


def test_slips_change_a_text_and_leave_it_readable() -> None:
    text = "where is my order, please?"
    slips = {slipped(text, "en", random.Random(seed)) for seed in range(60)}
    assert len(slips) > 5
    assert all(abs(len(slip) - len(text)) <= 2 for slip in slips)


def _wordings(template: str) -> int:
    count = 1
    for found in CHOICE.finditer(template):
        count *= (found[0].count("|") + 1) if found[0].startswith("(") else (found[0].count("|") + 2)
    return count
