"""Versions on trial that judge orders."""

import numpy as np
import pytest

from app.models.manifest import ScoreMapping
from app.models.runtime import Floats, RiskScorer, RiskScores
from app.models.trial import Canary, Shadow, Trial
from app.step import Models
from schemas.topics import DECISIONS, RISK_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import MINUTE, Worker, on, order
from tests.scoring.trials import CANARY_USERS, USERS


class Certain(FakeRiskModel):
    """Every order has the same probability."""

    version = "2"
    mapping = ScoreMapping(p_elevated=0.1, p_highest=0.2)

    def score(self, features: Floats) -> RiskScores:
        return RiskScores(np.full(len(features), 0.15, np.float32), super().score(features).contributions)


def test_a_canary_judges_the_orders_of_its_users_by_its_own_mapping() -> None:
    orders = [order(user, MINUTE + index, f"order-{user}") for index, user in enumerate(USERS)]
    trial = Trial(Canary[FakeRiskModel](Certain(), 0.4), Shadow[FakeRiskModel](Certain()))
    worker = Worker(Models(FakeIntentModel(), FakeRiskModel(), risk_trial=trial))  # type: ignore[arg-type]
    plain = Worker(Models(FakeIntentModel(), FakeRiskModel()))
    found, before = worker.run(*orders), plain.run(*orders)
    levels = {r.body["user_id"]: (r.body["model"]["version"], r.body["risk_level"]) for r in on(RISK_EVENTS, found)}
    assert {user for user, at in levels.items() if at == ("2", "elevated")} == CANARY_USERS
    others = [r for r in found if r.body["user_id"] not in CANARY_USERS]
    assert others == [r for r in before if r.body["user_id"] not in CANARY_USERS]
    assert {r.body["model"]["version"] for r in on(DECISIONS, found)} == {"1", "2"}
    (scored,) = worker.works[-1].effects.orders
    assert scored.tried.shadow is not None
    assert scored.tried.canary is not None
    assert scored.tried.shadow[~scored.tried.canary] == pytest.approx(0.15)


class NoRisk(FakeRiskModel):
    version = "2"

    def score(self, features: Floats) -> RiskScores:
        scores = super().score(features)
        return RiskScores(np.full(len(features), np.nan, np.float32), scores.contributions)


class BrokenRisk(FakeRiskModel):
    version = "2"

    def score(self, features: Floats) -> RiskScores:
        raise RuntimeError("out of memory")


@pytest.mark.parametrize("model", [NoRisk(), BrokenRisk()], ids=["no number", "raises"])
def test_the_version_before_judges_orders_in_the_place_of_a_new_one_that_fails(model: FakeRiskModel) -> None:
    orders = [order(user, MINUTE + index, f"order-{user}") for index, user in enumerate(USERS)]
    trial = Trial[RiskScorer](replaced=Shadow(FakeRiskModel()))
    worker = Worker(Models(FakeIntentModel(), model, risk_trial=trial))
    assert worker.run(*orders) == Worker(Models(FakeIntentModel(), FakeRiskModel())).run(*orders)


@pytest.mark.parametrize("model", [NoRisk(), BrokenRisk()], ids=["no number", "raises"])
def test_a_canary_that_fails_judges_no_order(model: FakeRiskModel) -> None:
    orders = [order(user, MINUTE + index, f"order-{user}") for index, user in enumerate(USERS)]
    trial = Trial[RiskScorer](Canary(model, 0.4))
    worker = Worker(Models(FakeIntentModel(), FakeRiskModel(), risk_trial=trial))
    assert worker.run(*orders) == Worker(Models(FakeIntentModel(), FakeRiskModel())).run(*orders)
    assert trial.canary is not None
    assert trial.canary.failure is not None
