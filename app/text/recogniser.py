"""What a text says: its intent and how its writer feels by the model, its language and slots by rules as well.

Repeated texts are read once; shops see the same words over and over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.text.languages import has_words, language_of
from app.text.ngrams import Bag, bag_of
from app.text.slots import Slots, slots_of
from schemas.outputs import QUERY_INTENTS, Language

Floats = NDArray[np.float32]

_BATCH: Final = 256  # texts of one call; more would not fit the processor's cache
_REMEMBERED: Final = 16_384  # texts of one generation


class TextScores(NamedTuple):
    """Of n texts: probabilities, each by itself, of the intents [n, 16] (in the order of `QUERY_INTENTS`), of being in
    a language other than Chinese and English, of a satisfied writer, and of a problem that is solved, [n] each."""

    intents: Floats
    foreign: Floats
    satisfied: Floats
    solved: Floats


class TextScorer(Protocol):
    """What scores bags of n-grams."""

    @property
    def name(self) -> str:
        """Its folder in the repository."""
        ...

    @property
    def version(self) -> str:
        """Its folder's folder, a whole number."""
        ...

    def score(self, bag: Bag, texts: int) -> TextScores:
        """Scores of so many ``texts``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Understood:
    """What was made of one text. ``intent`` is None where the model gave a number that is not finite; ``confidence`` is
    the probability of the model's first choice."""

    intent: str | None
    language: Language
    slots: Slots
    satisfied: float
    solved: float
    confidence: float


class TextReader(Protocol):
    """What reads texts."""

    @property
    def name(self) -> str:
        """Name of its model."""
        ...

    @property
    def version(self) -> str:
        """Version of its model."""
        ...

    def read(self, texts: Sequence[str]) -> list[Understood]:
        """What is made of each of ``texts``."""
        ...


class Recogniser:
    """Reads texts with a model, and remembers what it read.

    Args:
        model: scores them.
        remembered: texts to remember at least; twice as many at most.
    """

    def __init__(self, model: TextScorer, remembered: int = _REMEMBERED) -> None:
        self.name, self.version = model.name, model.version
        self._model = model
        self._remembered = remembered
        self._recent: dict[str, Understood] = {}
        self._older: Mapping[str, Understood] = {}

    def read(self, texts: Sequence[str]) -> list[Understood]:
        """What is made of each of ``texts`` [n], whatever they hold and whichever stand beside them."""
        recent, older = self._recent, self._older
        unknown: list[str] = []
        known: dict[str, Understood] = {}
        for text in dict.fromkeys(texts):
            found = recent.get(text) or older.get(text)
            if found is None:
                unknown.append(text)
            else:
                known[text] = found
        for start in range(0, len(unknown), _BATCH):
            batch = unknown[start : start + _BATCH]
            known.update(zip(batch, self._judged(batch), strict=True))
        self._remember(known)
        return [known[text] for text in texts]

    def _remember(self, known: Mapping[str, Understood]) -> None:
        """Two generations of texts: one that was not asked for while the younger filled up is forgotten."""
        self._recent.update(known)
        if len(self._recent) > self._remembered:
            self._older, self._recent = self._recent, {}

    def _judged(self, texts: list[str]) -> list[Understood]:
        scores = self._model.score(bag_of(texts), len(texts))
        finite = np.isfinite(scores.intents.sum(axis=1)).tolist()
        columns = zip(
            texts,
            scores.intents.argmax(axis=1).tolist(),
            finite,
            scores.foreign.tolist(),
            scores.satisfied.tolist(),
            scores.solved.tolist(),
            scores.intents.max(axis=1).tolist(),
            strict=True,
        )
        return [_understood(*column) for column in columns]


def _understood(
    text: str, best: int, finite: bool, foreign: float, satisfied: float, solved: float, confidence: float
) -> Understood:
    intent = (QUERY_INTENTS[best] if has_words(text) else "other") if finite else None
    return Understood(intent, language_of(text, foreign), slots_of(text), satisfied, solved, confidence)
