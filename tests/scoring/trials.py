"""Clicks of 40 users for versions on trial, and what is published of them."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from app.models.runtime import Floats, IntentScorer, IntentScores
from app.models.side_states import SideStates
from app.models.trial import Canary, Shadow, Trial
from app.state.rows import HIDDEN_UNITS
from app.step import Models
from schemas.topics import INTENT_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import MINUTE, Input, Record, click, on

USERS = [f"user-{number}" for number in range(40)]


CANARY_USERS = {user for user in USERS if Canary(FakeIntentModel(), 0.4).takes([user])[0]}


def clicks(turn: int, users: list[str] = USERS) -> list[Input]:
    return [click(user, turn * MINUTE + index, f"{user}-{turn}") for index, user in enumerate(users)]


def models(
    serving: IntentScorer | None = None, canary: Canary[IntentScorer] | None = None, shadow: IntentScorer | None = None
) -> Models:
    seen = None if shadow is None else Shadow(shadow, SideStates(HIDDEN_UNITS))
    return Models(serving or FakeIntentModel(), FakeRiskModel(), Trial(canary, seen))


def chances(records: list[Record], of: Callable[[str], bool] = lambda _: True) -> dict[str, float]:
    """The purchase probability of each click of the users chosen, by its id."""
    found = on(INTENT_EVENTS, records)
    return {r.body["source_event_id"]: r.body["purchase_probability"] for r in found if of(r.body["user_id"])}


def versions(records: list[Record]) -> dict[str, set[str]]:
    found = defaultdict(set)
    for record in records:
        found[record.body["user_id"]].add(record.body["model"]["version"])
    return found


class Counting(FakeIntentModel):
    """Counts the clicks it scored."""

    rows = 0

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        self.rows += len(features)
        return super().score(features, hidden)


class Broken(FakeIntentModel):
    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        hidden[:] = np.nan
        raise RuntimeError("out of memory")


class NoNumber(FakeIntentModel):
    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        scores = super().score(features, hidden)
        return IntentScores(scores.hidden, scores.probabilities, np.full(len(features), np.nan, np.float32))
