"""Events that are asked about say why they were scored so; no other event changes, and no state does."""

from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np

from app.effects import ScoredClicks
from app.explain.contributions import PURCHASE, log_odds
from app.models.runtime import IntentScorer
from app.models.trial import Canary, Trial
from app.scoring.explaining import Explaining, from_probability
from app.step import Models
from schemas.outputs import IntentEvent
from schemas.topics import INTENT_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import MINUTE, SECOND, Input, Record, Worker, click, on

EVERY = from_probability(0.0)


def story() -> list[Input]:
    """Several clicks of several users, whose states matter."""
    acts = ("page_viewed", "product_viewed", "product_added", "cart_viewed", "checkout_started")
    found = []
    for turn, act in enumerate(acts * 2):
        for number, user in enumerate("abc"[: 3 - turn % 2]):
            found.append(click(user, turn * MINUTE + number * SECOND, f"{user}{turn}", act, price=20.0))
    return found


def models(explaining: Explaining | None, **trial: Trial[IntentScorer]) -> Models:
    return Models(FakeIntentModel(), FakeRiskModel(), explaining=explaining, **trial)  # type: ignore[arg-type]


def events(explaining: Explaining | None, *inputs: Input, size: int = 4_096) -> list[Record]:
    worker = Worker(models(explaining), step_records=size)
    return on(INTENT_EVENTS, worker.run(*inputs))


def test_without_the_setting_no_event_has_reasons() -> None:
    assert all("reasons" not in record.body for record in events(None, *story()))


def test_reasons_are_all_that_changes() -> None:
    plain, told = events(None, *story()), events(EVERY, *story())
    for before, after in zip(plain, told, strict=True):
        body = dict(after.body)
        assert body.pop("reasons")
        assert body == before.body
        assert msgspec.json.decode(after.value or b"", type=IntentEvent).reasons


def test_only_events_above_the_probability_are_explained() -> None:
    plain = events(None, *story())
    least = float(np.median([record.body["purchase_probability"] for record in plain])) + 1e-5
    told = events(from_probability(least), *story())
    flags = [("reasons" in record.body) == (record.body["purchase_probability"] >= least) for record in told]
    assert all(flags)
    assert 0 < sum("reasons" in record.body for record in told) < len(told)


def test_reasons_do_not_depend_on_the_batch() -> None:
    whole = {record.body["source_event_id"]: record.body["reasons"] for record in events(EVERY, *story())}
    for size in (1, 4):
        for record in events(EVERY, *story(), size=size):
            expected = whole[record.body["source_event_id"]]
            for mine, theirs in zip(record.body["reasons"], expected, strict=True):
                assert abs(mine.pop("contribution") - theirs["contribution"]) <= 0.011
                assert mine.items() <= theirs.items()


def test_reasons_are_strongest_first_and_few() -> None:
    for record in events(EVERY, *story()):
        strengths = [abs(reason["contribution"]) for reason in record.body["reasons"]]
        assert len(strengths) <= 5
        assert all(one >= two >= 0.1 for one, two in pairwise(strengths))


def test_explanations_start_from_the_state_that_the_click_was_scored_from() -> None:
    worker = Worker(models(EVERY))
    worker.run(*story())
    for clicks in _clicks(worker):
        assert clicks.explained is not None
        for chance, why in zip(clicks.purchase, clicks.explained, strict=True):
            assert why is not None
            total = why.base[PURCHASE] + why.added[PURCHASE].sum()
            np.testing.assert_allclose(total, log_odds(np.array(chance)), atol=1e-4)


def test_a_click_of_the_canary_is_explained_by_the_canary() -> None:
    other = FakeIntentModel(version="2", encoder="other", seed=8)
    trial: Trial[IntentScorer] = Trial(canary=Canary(other, share=0.5))
    worker = Worker(models(EVERY, intent_trial=trial))
    worker.run(*story())
    (clicks,) = _clicks(worker)
    assert clicks.tried.canary is not None
    assert 0 < clicks.tried.canary.sum() < len(clicks.clicks)
    for chance, why in zip(clicks.purchase, clicks.explained or [], strict=True):
        assert why is not None
        total = why.base[PURCHASE] + why.added[PURCHASE].sum()
        np.testing.assert_allclose(total, log_odds(np.array(chance)), atol=1e-4)


def test_a_click_that_got_no_finite_score_is_not_explained() -> None:
    class Broken(FakeIntentModel):
        def score(self, features, hidden):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            scores = super().score(features, hidden)
            return scores._replace(purchase=np.full(len(features), np.nan, np.float32))

    worker = Worker(replace(models(EVERY), intent=Broken()))
    found = worker.run(click("u", 0, "a"))
    assert on(INTENT_EVENTS, found) == []
    assert all(clicks.explained is None for clicks in _clicks(worker))


def _clicks(worker: Worker) -> list[ScoredClicks]:
    return [clicks for work in worker.works for clicks in work.effects.clicks]
