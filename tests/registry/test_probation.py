"""A promoted version that is worse than the one before is taken out by the worker itself."""

import pytest

from app.registry.control import promoted
from schemas.topics import INTENT_EVENTS
from tests.fakes import FakeIntentModel
from tests.harness import failures, on
from tests.registry.stage import NAME, NONE, Stage, alerts, controls, statuses, versions


def test_a_version_that_gives_no_numbers_is_rolled_back_with_an_alert_and_a_record(stage: Stage) -> None:
    stage.step()
    promotion = promoted(NONE, "nan", "1", "", 0)
    stage.hear(promotion)
    found = stage.step()
    assert failures(found) == [], "the version before stood in"
    assert (len(on(INTENT_EVENTS, found)), versions(found)) == (40, {"1"})
    assert versions(stage.step()) == {"1"}
    notices = stage.told()
    (control,) = controls(notices)
    assert (control.serving, control.previous, control.revision) == ("1", None, 2)
    (alert,) = alerts(notices)
    assert (alert.severity, alert.reasons, alert.subject.id) == ("critical", ["MODEL_FAILURES"], f"{NAME}/nan")
    assert statuses(notices)[-1].serving == "1"
    stage.hear(control)
    assert versions(stage.step()) == {"1"}
    rolled = {"model": NAME, "role": "serving", "reason": "failures"}
    assert stage.metrics.registry.get_sample_value("sluice_model_rollbacks_total", rolled) == 1


def test_a_version_whose_scores_lie_elsewhere_is_rolled_back(stage: Stage) -> None:
    stage.hear(promoted(NONE, "sure", "1", "", 0))
    stage.step(3)
    assert [alert.reasons for alert in alerts(stage.told())] == [["MODEL_SHIFT"]]
    assert versions(stage.step()) == {"1"}


def test_a_slow_version_is_rolled_back(stage: Stage) -> None:
    stage.hear(promoted(NONE, "2", "1", "", 0))
    for _ in range(10):
        stage.registry.called(NAME, "1", 40, 0.001)
        stage.registry.called(NAME, "2", 40, 0.004)
    stage.step(3)
    assert [alert.reasons for alert in alerts(stage.told())] == [["MODEL_LATENCY"]]
    assert versions(stage.step()) == {"1"}


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_good_version_stays_and_the_one_before_is_asked_until_its_probation_is_over(
    stage: Stage, version: str
) -> None:
    stage.step(3)
    stage.hear(promoted(NONE, version, "1", "", 0))
    before = stage.pipe.pipeline.models.intent_trial.replaced
    assert before is not None
    assert isinstance(before.model, FakeIntentModel)
    asked = len(before.model.calls)
    stage.step(8)
    assert len(before.model.calls) > asked
    assert stage.pipe.pipeline.models.intent_trial.replaced is not None
    stage.step()
    assert stage.pipe.pipeline.models.intent_trial.replaced is None
    assert (alerts(stage.told()), versions(stage.step())) == ([], {version})


def test_with_another_encoder_both_versions_begin_anew_so_that_the_loss_of_memory_is_no_shift(stage: Stage) -> None:
    stage.step(2)
    stage.hear(promoted(NONE, "3", "1", "", 0))
    stage.step(2)
    for work in stage.pipe.works[2:]:
        (scored,) = work.effects.clicks
        assert scored.tried.replaced == pytest.approx(scored.purchase, abs=1e-6), "they have the same weights"


def test_a_version_that_raises_is_rolled_back_and_no_step_fails(stage: Stage) -> None:
    stage.step()
    stage.hear(promoted(NONE, "raising", "1", "", 0))
    assert versions(stage.step()) == {"1"}
    notices = stage.told()
    assert [alert.reasons for alert in alerts(notices)] == [["MODEL_ERROR"]]
    assert [(control.serving, control.previous) for control in controls(notices)] == [("1", None)]
    assert versions(stage.step()) == {"1"}


def test_a_step_that_fails_on_probation_rolls_back_for_the_next_start(stage: Stage) -> None:
    stage.hear(promoted(NONE, "2", "1", "", 0))
    stage.registry.step_failed()
    (control,) = controls(stage.told())
    assert (control.serving, control.previous) == ("1", None)


def test_a_step_that_fails_without_probation_rolls_nothing_back(stage: Stage) -> None:
    stage.step()
    stage.registry.step_failed()
    assert controls(stage.told()) == []
