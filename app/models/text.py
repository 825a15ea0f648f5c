"""The text model a worker runs: bags of n-grams in, probabilities out."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.models.repository import read_model
from app.models.session import Provider, Session, open_session
from app.text.ngrams import FEATURES, Bag
from app.text.recogniser import Recogniser, TextScores

OUTPUTS = ["intents", "foreign", "satisfied", "solved"]


def feeds_of(bag: Bag, texts: int) -> dict[str, NDArray[Any]]:
    """The graph's inputs for so many ``texts``."""
    return {"buckets": bag.buckets, "text": bag.text[:, None], "texts": np.array([texts], np.int64)}


class TextModel:
    """A text model of the repository; see `TextScorer`."""

    def __init__(self, session: Session, name: str, version: str) -> None:
        self._run = session.run
        self.name = name
        self.version = version

    def score(self, bag: Bag, texts: int) -> TextScores:
        """See `TextScorer.score`."""
        intents, foreign, satisfied, solved = self._run(OUTPUTS, feeds_of(bag, texts))
        return TextScores(intents, foreign[:, 0], satisfied[:, 0], solved[:, 0])


def load_text(
    repository: Path, name: str = "text", version: str | None = None, provider: Provider = "auto"
) -> Recogniser:
    """A recogniser with the text model ``name``, its newest version if None.

    Raises:
        UsageProblem: it is missing, damaged, or made for other features.
    """
    return Recogniser(read_text_model(repository, name, version, provider))


def read_text_model(
    repository: Path, name: str = "text", version: str | None = None, provider: Provider = "auto"
) -> TextModel:
    """The model alone; see `load_text`."""
    stored = read_model(repository, "text", name, version, FEATURES)
    return TextModel(open_session(stored, provider), stored.manifest.name, stored.manifest.version)
