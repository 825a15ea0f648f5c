"""Which version an output names: the one that made its score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from app.effects import Tried
from app.features.scan import Flags
from app.models.runtime import IntentScorer, RiskScorer
from app.models.trial import Scorer, Trial
from schemas.outputs import ModelRef


@dataclass(frozen=True, slots=True)
class Judges(Generic[Scorer]):
    """The version that serves, those on trial beside it, and how outputs name a version."""

    serving: Scorer
    trial: Trial[Scorer]
    ref: Callable[[Scorer], ModelRef]

    @property
    def serving_ref(self) -> ModelRef:
        """The name of the version that serves."""
        return self.ref(self.serving)

    def others(self, tried: Tried) -> list[tuple[Flags, Scorer]]:
        """The other versions that made scores, with the rows they made them of."""
        return self.trial.others(tried.canary, tried.stand_in)

    def ref_at(self, tried: Tried, place: int) -> ModelRef:
        """The name of the version that scored the row at ``place``."""
        return self.ref(next((model for rows, model in self.others(tried) if rows[place]), self.serving))

    def refs(self, users: Sequence[str]) -> list[ModelRef]:
        """The name of the version that scores each of ``users``."""
        canary, serving = self.trial.canary, self.serving_ref
        if canary is None or canary.failure is not None:
            return [serving] * len(users)
        other = self.ref(canary.model)
        return [other if taken else serving for taken in canary.takes(users).tolist()]


def intent_judges(model: IntentScorer, trial: Trial[IntentScorer]) -> Judges[IntentScorer]:
    """Those of clicks."""
    return Judges(model, trial, lambda one: ModelRef(one.name, one.version))


def risk_judges(model: RiskScorer, trial: Trial[RiskScorer]) -> Judges[RiskScorer]:
    """Those of orders."""
    return Judges(model, trial, lambda one: ModelRef(one.name, one.version))
