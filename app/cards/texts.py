"""The text model by language, on the hand-written test."""

from collections.abc import Iterator

import numpy as np

from app.cards.groups import GroupFigure, Question, group_figures
from app.evaluation.text_shopper import LANGUAGES, read_shopper
from app.models.text import TextModel
from app.text.recogniser import Recogniser


def text_groups(model: TextModel) -> Iterator[GroupFigure]:
    """The figures by language; a text is its own user."""
    examples = read_shopper(None)
    read = Recogniser(model).read([example.text for example in examples])
    language = np.array([example.language for example in examples])
    right = np.array([one.intent == example.query_intent for one, example in zip(read, examples, strict=True)])
    question = Question("shopper test", "query intent", right, None, np.arange(len(right)))
    yield from group_figures(question, "language", {name: language == name for name in LANGUAGES})
