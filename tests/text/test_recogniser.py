"""The recogniser: one answer per text, read once, whatever the text holds."""

import numpy as np

from app.text.ngrams import Bag
from app.text.recogniser import Recogniser, TextScores
from schemas.outputs import QUERY_INTENTS
from tests.text.test_ngrams import WILD


class Counting:
    """Tells the intent by the number of n-grams, and remembers how many texts each call had."""

    name, version = "fake-text", "1"

    def __init__(self, broken: bool = False) -> None:
        self.calls: list[int] = []
        self._broken = broken

    def score(self, bag: Bag, texts: int) -> TextScores:
        self.calls.append(texts)
        counts = np.bincount(bag.text, minlength=texts)
        intents = np.zeros((texts, len(QUERY_INTENTS)), np.float32)
        intents[np.arange(texts), counts % len(QUERY_INTENTS)] = np.nan if self._broken else 1
        zeros = np.zeros(texts, np.float32)
        return TextScores(intents, zeros, zeros, zeros)


def test_repeated_texts_are_read_once() -> None:
    model = Counting()
    recogniser = Recogniser(model)
    first = recogniser.read(["red shoes", "退货", "red shoes"])
    again = recogniser.read(["退货", "red shoes"])
    assert model.calls == [2]
    assert first[0] is first[2] is again[1]
    assert first[1] is again[0]


def test_texts_not_asked_for_are_forgotten_in_time() -> None:
    model = Counting()
    recogniser = Recogniser(model, remembered=4)
    recogniser.read(["kept", "dropped"])
    for number in range(20):
        recogniser.read(["kept", f"{number}"])
    before = len(model.calls)
    recogniser.read(["kept"])
    assert len(model.calls) == before
    recogniser.read(["dropped"])
    assert len(model.calls) == before + 1


def test_whatever_a_text_holds_it_is_read_and_its_neighbours_are_not_changed() -> None:
    alone = [Recogniser(Counting()).read([text])[0] for text in WILD]
    together = Recogniser(Counting()).read(WILD)
    for one, other in zip(alone, together, strict=True):
        assert (one.intent, one.language, one.slots) == (other.intent, other.language, other.slots)


def test_what_has_no_words_wants_nothing() -> None:
    for found in Recogniser(Counting()).read(["", "  ", "1234", "😀" * 512, "?!"]):
        assert (found.intent, found.language) == ("other", "other")


def test_a_model_that_gives_no_number_leaves_the_intent_out_and_keeps_the_rest() -> None:
    (found,) = Recogniser(Counting(broken=True)).read(["白色羽绒服"])
    assert found.intent is None
    assert found.language == "zh"
    assert found.slots.color == "white"


def test_many_texts_are_read_in_batches_and_come_back_in_order() -> None:
    model = Counting()
    texts = [f"{'x' * (number % 7)} {number % 1000 * 'y'}" for number in range(600)]
    found = Recogniser(model).read(texts)
    assert len(found) == len(texts)
    assert max(model.calls) <= 256
    assert [one.intent for one in found] == [Recogniser(Counting()).read([text])[0].intent for text in texts]
