"""Shadows and canaries: compared while they are good, ended by the worker when they are bad."""

import pytest

from app.registry.control import canaried, shadowed
from tests.registry.stage import NAME, NONE, Stage, alerts, controls, statuses, versions


@pytest.mark.parametrize(("version", "reason"), [("nan", "FAILURES"), ("raising", "ERROR"), ("sure", "SHIFT")])
def test_a_bad_canary_is_ended_and_the_serving_version_goes_on(stage: Stage, version: str, reason: str) -> None:
    stage.hear(canaried(NONE, version, 0.4, "", 0))
    stage.step(12)
    notices = stage.told()
    assert [alert.reasons for alert in alerts(notices)] == [[f"MODEL_{reason}"]]
    assert [(control.canary, control.canary_share) for control in controls(notices)] == [(None, 0.0)]
    assert statuses(notices)[-1].canary is None
    assert versions(stage.step()) == {"1"}


@pytest.mark.parametrize(("version", "reason"), [("nan", "FAILURES"), ("raising", "ERROR")])
def test_a_bad_shadow_is_ended_and_changes_no_output(stage: Stage, version: str, reason: str) -> None:
    stage.hear(shadowed(NONE, version, "", 0))
    found, plain = stage.step(4), Stage().step(4)
    assert found == plain
    notices = stage.told()
    assert [alert.reasons for alert in alerts(notices)] == [[f"MODEL_{reason}"]]
    assert [control.shadow for control in controls(notices)] == [None]


def test_a_shadow_and_a_canary_are_compared_in_metrics_and_status(stage: Stage) -> None:
    stage.hear(canaried(shadowed(NONE, "3", "", 0), "2", 0.4, "", 0))
    stage.step(2)
    stage.registry.look()
    stage.registry.tell()
    (status,) = statuses(stage.told())
    assert {(trial.role, trial.version) for trial in status.trials} == {("shadow", "3"), ("canary", "2")}
    sample = stage.metrics.registry.get_sample_value
    assert sample("sluice_model_version_info", {"model": NAME, "version": "3", "role": "shadow"}) == 1
    counted = [
        sample("sluice_trial_records", {"model": NAME, "version": v, "role": r})
        for v, r in (("3", "shadow"), ("2", "canary"))
    ]
    assert sum(count or 0 for count in counted) == 80
