"""A canary scores its share of users, and never costs an output."""

import pytest

from app.models.runtime import IntentScorer
from app.models.trial import Canary, Failure, canary_salt
from schemas.topics import INTENT_EVENTS, SESSION_EVENTS
from tests.fakes import FakeIntentModel
from tests.harness import DAY, Worker, click, heartbeat, on
from tests.scoring.trials import CANARY_USERS, USERS, Broken, Counting, NoNumber, chances, clicks, models, versions


def test_a_canary_takes_its_share_of_users_always_the_same_and_more_of_them_when_it_grows() -> None:
    users = [f"u{number}" for number in range(20_000)]
    small, large = (Canary(None, share, canary_salt("intent")).takes(users) for share in (0.1, 0.3))
    assert small.mean() == pytest.approx(0.1, abs=0.01)
    assert not (small & ~large).any()
    assert (Canary(None, 0.1, canary_salt("intent")).takes(users[::-1])[::-1] == small).all()
    assert not Canary(None, 0.0).takes(users).any()
    assert Canary(None, 1.0).takes(users).all()
    both = small & Canary(None, 0.1, canary_salt("risk")).takes(users)
    assert both.mean() == pytest.approx(0.01, abs=0.005), "the canaries of two models take users of each other's freely"


def test_with_a_canary_every_output_names_the_version_that_scored_it_and_keeps_its_order() -> None:
    worker = Worker(models(canary=Canary(FakeIntentModel("12", seed=8), 0.4)))
    records = worker.run(*clicks(0), *clicks(1), click(USERS[0], 3 * DAY, "late"), *heartbeat(3 * DAY))
    events = on(INTENT_EVENTS, records)
    assert 0 < len(CANARY_USERS) < len(USERS)
    assert [r.body["source_event_id"] for r in events if r.body["user_id"] in USERS][:80] == [
        f"{user}-{turn}" for turn in (0, 1) for user in USERS
    ]
    expected = {user: {"12" if user in CANARY_USERS else "1"} for user in USERS}
    assert {user: found for user, found in versions(events).items() if user in USERS} == expected
    sessions = versions(on(SESSION_EVENTS, records))
    assert {user: sessions[user] for user in USERS} == expected


def test_users_beside_the_canary_are_scored_as_if_there_was_none() -> None:
    alone, beside = Worker(models()), Worker(models(canary=Canary(FakeIntentModel("2", "other", seed=8), 0.4)))
    plain, tried = (worker.run(*clicks(0), *clicks(1)) for worker in (alone, beside))
    others = chances(tried, lambda user: user not in CANARY_USERS)
    assert others == chances(plain, lambda user: user not in CANARY_USERS)
    theirs = chances(tried, lambda user: user in CANARY_USERS)
    whole = Worker(models(FakeIntentModel("2", "other", seed=8))).run(*clicks(0), *clicks(1))
    assert theirs == chances(whole, lambda user: user in CANARY_USERS)


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_with_a_canary_and_a_shadow_the_outputs_do_not_depend_on_how_the_input_was_cut(cut: int) -> None:
    inputs = [*clicks(0), *clicks(1), *clicks(2)]
    one = models(
        canary=Canary(FakeIntentModel("2", "other", seed=8), 0.4), shadow=FakeIntentModel("3", "third", seed=9)
    )
    worker = Worker(one)
    found = [record for at in range(0, len(inputs), cut) for record in worker.run(*inputs[at : at + cut])]
    whole = Worker(models(canary=Canary(FakeIntentModel("2", "other", seed=8), 0.4))).run(*inputs)
    assert chances(found) == pytest.approx(chances(whole), abs=1e-5)


def test_a_canary_that_raises_loses_no_event_and_is_not_asked_again() -> None:
    canary = Canary[IntentScorer](Broken("2", "other"), 0.4)
    worker, plain = Worker(models()), Worker(models())
    assert worker.run(*clicks(0)) == plain.run(*clicks(0))
    worker.pipeline.models = models(canary=canary)
    assert worker.run(*clicks(1)) == plain.run(*clicks(1)), "its users' states are what they were"
    assert canary.failure == Failure("RuntimeError: out of memory", is_of_numbers=False)
    canary.model = Counting("2", "other")
    assert worker.run(*clicks(2)) == plain.run(*clicks(2))
    assert canary.model.rows == 0


def test_a_canary_that_gives_no_number_is_not_asked_again_and_the_serving_version_scores_its_users() -> None:
    canary = Canary[IntentScorer](NoNumber("2", "other"), 0.4)
    worker, plain = Worker(models(canary=canary)), Worker(models())
    assert worker.run(*clicks(0)) == plain.run(*clicks(0))
    reason = f"{len(CANARY_USERS)} of {len(CANARY_USERS)} scores are no finite numbers"
    assert canary.failure == Failure(reason, is_of_numbers=True)
