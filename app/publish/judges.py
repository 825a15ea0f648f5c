"""Which version an output names: the one that made its score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from app.models.runtime import IntentScorer, RiskScorer
from app.models.trial import Scorer, Trial
from schemas.outputs import ModelRef


@dataclass(frozen=True, slots=True)
class Judges(Generic[Scorer]):
    """The version that serves and, where there is one, the canary; each with the name its outputs bear."""

    serving: Scorer
    canary: Scorer
    serving_ref: ModelRef
    canary_ref: ModelRef
    trial: Trial[Scorer]

    def refs(self, users: Sequence[str]) -> list[ModelRef]:
        """The version that scores each of ``users``."""
        canary = self.trial.canary
        if canary is None or canary.failure is not None:
            return [self.serving_ref] * len(users)
        return [self.canary_ref if taken else self.serving_ref for taken in canary.takes(users).tolist()]


def intent_judges(model: IntentScorer, trial: Trial[IntentScorer]) -> Judges[IntentScorer]:
    """Those of clicks."""
    other = trial.canary.model if trial.canary else model
    return Judges(model, other, ModelRef(model.name, model.version), ModelRef(other.name, other.version), trial)


def risk_judges(model: RiskScorer, trial: Trial[RiskScorer]) -> Judges[RiskScorer]:
    """Those of orders."""
    other = trial.canary.model if trial.canary else model
    return Judges(model, other, ModelRef(model.name, model.version), ModelRef(other.name, other.version), trial)
