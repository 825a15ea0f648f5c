"""A recurrent state is read by the encoder that wrote it, and by no other."""

import numpy as np

from app.models.runtime import Floats, IntentScores
from app.models.side_states import SideStates
from app.models.trial import Canary, encoder_code
from tests.fakes import FakeIntentModel
from tests.harness import MINUTE, Worker, order
from tests.scoring.trials import CANARY_USERS, USERS, Counting, chances, clicks, models


def test_a_version_with_the_same_encoder_goes_on_from_the_states_that_are_there() -> None:
    going_on = Worker(models(FakeIntentModel("1", "same")))
    going_on.run(*clicks(0))
    going_on.pipeline.models = models(FakeIntentModel("2", "same"))
    never_swapped = Worker(models(FakeIntentModel("2", "same")))
    never_swapped.run(*clicks(0))
    assert chances(going_on.run(*clicks(1))) == chances(never_swapped.run(*clicks(1)))


def test_a_version_with_another_encoder_begins_each_users_state_anew_once() -> None:
    worker = Worker(models(FakeIntentModel("1", "first")))
    worker.run(*clicks(0))
    worker.pipeline.models = models(FakeIntentModel("2", "second"))
    table = worker.pipeline.state.table
    model = Counting("2", "second")
    seen = []

    class Watching(FakeIntentModel):
        def score(self, features: Floats, hidden: Floats) -> IntentScores:
            seen.append(float(np.abs(hidden).max()))
            return super().score(features, hidden)

    worker.pipeline.models = models(Watching("2", "second"))
    worker.run(*clicks(1))
    worker.run(*clicks(2))
    assert seen[0] == 0, "a state of another encoder is never read"
    assert seen[-1] > 0, "its own states are"
    codes = {int(table.rows["encoder"][table.slot(user)]) for user in USERS}
    assert codes == {encoder_code("second", model.name, "2")}


def test_an_order_alone_changes_no_state() -> None:
    worker = Worker(models(FakeIntentModel("1", "first")))
    worker.run(*clicks(0))
    table = worker.pipeline.state.table
    before = table.rows["hidden"][table.slot(USERS[0])].copy()
    worker.pipeline.models = models(FakeIntentModel("2", "second"))
    worker.run(order(USERS[0], MINUTE, "order"))
    row = table.rows[table.slot(USERS[0])]
    assert (row["hidden"] == before).all()
    assert row["encoder"] == encoder_code("first", "fake-intent", "1")


def test_after_a_restart_states_are_still_known_by_their_encoder() -> None:
    worker = Worker(models(FakeIntentModel("1", "first")))
    worker.run(*clicks(0), *clicks(1, USERS[:20]))
    worker.pipeline.models = models(FakeIntentModel("2", "second"))
    worker.run(*clicks(2, USERS[10:20]))
    other = worker.restarted()
    assert chances(worker.run(*clicks(3))) == chances(other.run(*clicks(3)))


def test_models_that_name_no_encoder_share_no_states() -> None:
    assert encoder_code(None, "intent", "1") != encoder_code(None, "intent", "2")
    assert encoder_code("e", "intent", "1") == encoder_code("e", "intent", "2") != 0


def test_users_that_leave_the_canary_begin_anew_and_never_read_its_states() -> None:
    worker = Worker(models(canary=Canary(FakeIntentModel("2", "other", seed=8), 0.4)))
    worker.run(*clicks(0))
    worker.pipeline.models = models()
    after = chances(worker.run(*clicks(1)), lambda user: user in CANARY_USERS)
    untouched = Worker(models())
    untouched.run(*clicks(0))
    states = untouched.pipeline.state.table.rows["hidden"]
    states[:] = 0
    assert after == chances(untouched.run(*clicks(1)), lambda user: user in CANARY_USERS)


def test_side_states_are_bounded_and_a_user_whose_place_was_taken_begins_anew() -> None:
    states = SideStates(2, capacity=4)
    users = [f"u{number}" for number in range(50)]
    for number, user in enumerate(users):
        states.put([user], np.full((1, 2), number + 1, np.float32))
    found = states.get(users)
    kept = found[:, 0] != 0
    assert kept.sum() == 4
    assert (found[kept] == np.arange(1, 51)[kept, None]).all(), "nobody gets another's state"
