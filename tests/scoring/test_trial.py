"""Versions on trial: who scores whom, from which state, and that a trial never costs an output."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from app.models.manifest import ScoreMapping
from app.models.runtime import Floats, IntentScorer, IntentScores, RiskScorer, RiskScores
from app.models.side_states import SideStates
from app.models.trial import Canary, Failure, Shadow, Trial, canary_salt, encoder_code
from app.state.rows import HIDDEN_UNITS
from app.step import Models
from schemas.topics import DEAD_LETTER, DECISIONS, INTENT_EVENTS, RISK_EVENTS, SESSION_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import DAY, MINUTE, Input, Record, Worker, click, heartbeat, on, order

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


def test_a_shadow_that_raises_changes_nothing_and_is_not_asked_again() -> None:
    tried = models(shadow=Broken("2", "other"))
    worker, plain = Worker(tried), Worker(models())
    assert worker.run(*clicks(0)) == plain.run(*clicks(0))
    assert tried.intent_trial.shadow is not None
    assert tried.intent_trial.shadow.failure == Failure("RuntimeError: out of memory", is_of_numbers=False)
    assert worker.run(*clicks(1)) == plain.run(*clicks(1))


def test_a_canary_that_gives_no_number_is_not_asked_again_and_the_serving_version_scores_its_users() -> None:
    canary = Canary[IntentScorer](NoNumber("2", "other"), 0.4)
    worker, plain = Worker(models(canary=canary)), Worker(models())
    assert worker.run(*clicks(0)) == plain.run(*clicks(0))
    reason = f"{len(CANARY_USERS)} of {len(CANARY_USERS)} scores are no finite numbers"
    assert canary.failure == Failure(reason, is_of_numbers=True)


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


def test_side_states_are_bounded_and_a_user_whose_place_was_taken_begins_anew() -> None:
    states = SideStates(2, capacity=4)
    users = [f"u{number}" for number in range(50)]
    for number, user in enumerate(users):
        states.put([user], np.full((1, 2), number + 1, np.float32))
    found = states.get(users)
    kept = found[:, 0] != 0
    assert kept.sum() == 4
    assert (found[kept] == np.arange(1, 51)[kept, None]).all(), "nobody gets another's state"


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
