"""A version in shadow scores what the serving one scores, and changes nothing."""

import numpy as np
import pytest

from app.models.runtime import IntentScorer
from app.models.trial import Canary, Failure, Shadow, Trial
from app.step import Models
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import Worker
from tests.scoring.trials import Broken, Counting, clicks, models


def test_a_shadow_publishes_nothing_and_is_scored_beside_every_click() -> None:
    shadow = Counting("2", "other", seed=8)
    worker, plain = Worker(models(shadow=shadow)), Worker(models())
    assert worker.run(*clicks(0), *clicks(1)) == plain.run(*clicks(0), *clicks(1))
    assert shadow.rows == 80
    told = np.concatenate([clicks.tried.shadow for work in worker.works for clicks in work.effects.clicks])
    whole = Worker(models(FakeIntentModel("2", "other", seed=8)))
    whole.run(*clicks(0), *clicks(1))
    said = np.concatenate([clicks.purchase for work in whole.works for clicks in work.effects.clicks])
    assert told == pytest.approx(said, abs=1e-6), "from states of its own it says what it would say if it served"


def test_a_shadow_with_the_same_encoder_goes_on_from_the_rows_states() -> None:
    worker = Worker(models())
    worker.run(*clicks(0))
    trial = Trial(None, Shadow[IntentScorer](FakeIntentModel("2")))
    worker.pipeline.models = Models(FakeIntentModel(), FakeRiskModel(), trial)
    worker.run(*clicks(1))
    (scored,) = worker.works[-1].effects.clicks
    assert scored.tried.shadow == pytest.approx(scored.purchase, abs=1e-6), (
        "the same weights from the same state say the same"
    )


def test_the_canarys_users_are_not_asked_of_the_shadow() -> None:
    worker = Worker(models(canary=Canary(FakeIntentModel("2"), 0.4), shadow=FakeIntentModel("3")))
    worker.run(*clicks(0))
    (scored,) = worker.works[-1].effects.clicks
    assert scored.tried.shadow is not None
    assert scored.tried.canary is not None
    assert scored.tried.shadow_intent is not None
    assert (np.isnan(scored.tried.shadow) == scored.tried.canary).all()
    assert ((scored.tried.shadow_intent == -1) == scored.tried.canary).all()


def test_a_shadow_that_raises_changes_nothing_and_is_not_asked_again() -> None:
    tried = models(shadow=Broken("2", "other"))
    worker, plain = Worker(tried), Worker(models())
    assert worker.run(*clicks(0)) == plain.run(*clicks(0))
    assert tried.intent_trial.shadow is not None
    assert tried.intent_trial.shadow.failure == Failure("RuntimeError: out of memory", is_of_numbers=False)
    assert worker.run(*clicks(1)) == plain.run(*clicks(1))
