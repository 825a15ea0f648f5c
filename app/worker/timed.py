"""Models that tell how long each call took."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.models.manifest import ScoreMapping
from app.models.runtime import Floats, IntentScorer, IntentScores, RiskScorer, RiskScores, distribution_of
from app.step import Models
from app.text.recogniser import TextReader, Understood

Clock = Callable[[], float]
"""Seconds, monotonic."""

Called = Callable[[str, str, int, float], None]
"""Told a model's name and version, the rows of a call, and its seconds."""


class TimedIntent:
    """An intent model; see ``IntentScorer``."""

    def __init__(self, model: IntentScorer, clock: Clock, called: Called) -> None:
        self.name, self.version, self.encoder = model.name, model.version, model.encoder
        self.distribution = distribution_of(model)
        self._model, self._clock, self._called = model, clock, called

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        """What the model says."""
        started = self._clock()
        try:
            return self._model.score(features, hidden)
        finally:
            self._called(self.name, self.version, len(features), self._clock() - started)

    def score_in_turn(self, features: Floats, hidden: Floats) -> IntentScores:
        """What the model says."""
        started = self._clock()
        try:
            return self._model.score_in_turn(features, hidden)
        finally:
            rows = features.shape[0] * features.shape[1]
            self._called(self.name, self.version, rows, self._clock() - started)


class TimedRisk:
    """A risk model; see ``RiskScorer``."""

    def __init__(self, model: RiskScorer, clock: Clock, called: Called) -> None:
        self.name, self.version = model.name, model.version
        self.mapping: ScoreMapping = model.mapping
        self.inputs = model.inputs
        self.distribution = distribution_of(model)
        self._model, self._clock, self._called = model, clock, called

    def score(self, features: Floats) -> RiskScores:
        """What the model says."""
        started = self._clock()
        try:
            return self._model.score(features)
        finally:
            self._called(self.name, self.version, len(features), self._clock() - started)


class TimedText:
    """A text model behind its reader; see ``TextReader``."""

    def __init__(self, reader: TextReader, clock: Clock, called: Called) -> None:
        self.name, self.version = reader.name, reader.version
        self._reader, self._clock, self._called = reader, clock, called

    def read(self, texts: Sequence[str]) -> list[Understood]:
        """What it makes of them."""
        started = self._clock()
        try:
            return self._reader.read(texts)
        finally:
            self._called(self.name, self.version, len(texts), self._clock() - started)


def timed(models: Models, clock: Clock, called: Called) -> Models:
    """The same models, telling the time of every call."""
    intent, risk = TimedIntent(models.intent, clock, called), TimedRisk(models.risk, clock, called)
    text = TimedText(models.text, clock, called) if models.text else None
    return replace(models, intent=intent, risk=risk, text=text)
