"""While a version is new, the one before scores where it cannot."""

import numpy as np
import pytest

from app.models.runtime import Floats, IntentScorer, IntentScores
from app.models.side_states import SideStates
from app.models.trial import Failure, Shadow, Trial
from app.state.rows import HIDDEN_UNITS
from app.step import Models
from schemas.topics import DEAD_LETTER, INTENT_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import Worker, on
from tests.scoring.trials import USERS, Broken, NoNumber, chances, clicks, models, versions


class SometimesNoNumber(FakeIntentModel):
    """Gives no number of some clicks."""

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        scores = super().score(features, hidden)
        lacking = np.arange(len(features)) % 3 == 0
        return IntentScores(
            np.where(lacking[:, None], np.float32(np.nan), scores.hidden),
            scores.probabilities,
            np.where(lacking, np.float32(np.nan), scores.purchase),
        )


@pytest.mark.parametrize("encoder", ["fake", "other"])
def test_while_a_version_is_new_the_one_before_stands_in_where_it_gives_no_number(encoder: str) -> None:
    worker, plain = Worker(models()), Worker(models())
    worker.run(*clicks(0)), plain.run(*clicks(0))
    states = None if encoder == "fake" else SideStates(HIDDEN_UNITS)
    trial = Trial[IntentScorer](replaced=Shadow(FakeIntentModel(), states))
    worker.pipeline.models = Models(SometimesNoNumber("2", encoder), FakeRiskModel(), trial)
    records = worker.run(*clicks(1))
    assert len(on(INTENT_EVENTS, records)) == len(USERS)
    assert on(DEAD_LETTER, records) == []
    assert {version for found in versions(on(INTENT_EVENTS, records)).values() for version in found} == {"1", "2"}
    (scored,) = worker.works[-1].effects.clicks
    assert scored.tried.stand_in is not None
    assert scored.tried.stand_in.sum() == 14
    if states is None:
        by_one = {r.body["user_id"] for r in on(INTENT_EVENTS, records) if r.body["model"]["version"] == "1"}
        chosen = chances(records, lambda user: user in by_one)
        assert chosen == chances(plain.run(*clicks(1)), lambda user: user in by_one)


def test_while_a_version_is_new_the_one_before_scores_in_its_place_when_it_raises() -> None:
    worker, plain = Worker(models()), Worker(models())
    worker.run(*clicks(0)), plain.run(*clicks(0))
    before = Shadow[IntentScorer](FakeIntentModel())
    worker.pipeline.models = Models(Broken("2", "other"), FakeRiskModel(), Trial(replaced=before))
    assert worker.run(*clicks(1)) == plain.run(*clicks(1))
    assert before.successor == Failure("RuntimeError: out of memory", is_of_numbers=False)


def test_without_a_version_before_a_dead_letter_names_the_version_that_gave_no_number() -> None:
    letters = on(DEAD_LETTER, Worker(models(NoNumber("2"))).run(*clicks(0)))
    messages = {letter.header("__connect.errors.exception.message") for letter in letters}
    assert (len(letters), messages) == (len(USERS), {"Model fake-intent 2 gave a number that is not finite"})
