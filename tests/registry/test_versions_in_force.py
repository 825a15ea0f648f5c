"""A worker runs what the control topic says, from its next step on."""

import pytest

from app.registry.control import canaried, nothing, promoted, rolled_back, shadowed
from schemas.topics import MODEL_STATUS, RISK_EVENTS
from tests.harness import MINUTE, on, order
from tests.registry.stage import NAME, NONE, Stage, alerts, statuses, versions


def test_a_promoted_version_serves_from_the_next_step_and_a_rollback_undoes_it(stage: Stage) -> None:
    assert versions(stage.step()) == {"1"}
    promotion = promoted(NONE, "2", "1", "", 0)
    (status,) = statuses(stage.hear(promotion))
    assert (status.serving, status.revision, status.group, status.instance) == ("2", 1, "group", "one")
    assert versions(stage.step()) == {"2"}
    stage.hear(rolled_back(promotion, "", 0))
    assert versions(stage.step()) == {"1"}


def test_a_worker_that_starts_runs_what_is_in_force(stage: Stage) -> None:
    tried = canaried(shadowed(promoted(NONE, "2", "1", "", 0), "3", "", 0), "sure", 0.5, "", 0)
    (status,) = statuses(stage.hear(tried))
    assert (status.serving, status.shadow, status.canary, status.canary_share) == ("2", "3", "sure", 0.5)
    assert versions(stage.step()) == {"2", "sure"}


def test_what_is_refused_on_trial_keeps_nothing_else_from_its_place(stage: Stage) -> None:
    (status,) = statuses(stage.hear(canaried(shadowed(promoted(NONE, "2", "1", "", 0), "9", "", 0), "3", 0.5, "", 0)))
    assert (status.serving, status.shadow, status.canary) == ("2", None, "3")
    assert [refusal.version for refusal in status.refused] == ["9"]


def test_a_record_that_is_taken_back_leaves_the_settings_in_force(stage: Stage) -> None:
    stage.hear(promoted(NONE, "2", "1", "", 0))
    stage.hear((NAME.encode(), None))
    assert versions(stage.step()) == {"1"}


def test_a_refused_version_leaves_the_old_one_serving_and_says_why(stage: Stage) -> None:
    notices = stage.hear(promoted(NONE, "9", "1", "", 0))
    (status,) = statuses(notices)
    assert (status.serving, status.refused[0].version, status.refused[0].reason) == ("1", "9", "there is no version 9")
    (alert,) = alerts(notices)
    assert (alert.kind, alert.reasons, alert.alert_id) == ("model", ["MODEL_REFUSED"], f"model:{NAME}/9:refused:1")
    assert versions(stage.step()) == {"1"}
    assert stage.metrics.registry.get_sample_value("sluice_model_refusals_total", {"model": NAME}) == 1


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b'{"name":"fake-intent","revision":"x"}'])
def test_a_control_record_that_does_not_parse_changes_nothing(stage: Stage, value: bytes) -> None:
    stage.hear(promoted(NONE, "2", "1", "", 0), (NAME.encode(), value), (b"\xff\xfe", b"1"), (b"another", b"{"))
    assert versions(stage.step()) == {"2"}
    assert stage.metrics.registry.get_sample_value("sluice_unreadable_controls_total") == 1


def test_a_model_of_orders_is_promoted_and_the_one_before_asked_beside_it(stage: Stage) -> None:
    promotion = promoted(nothing("fake-risk"), "2", "1", "", 0)
    stage.hear(promotion)
    (event,) = on(RISK_EVENTS, stage.pipe.run(order("u", 0, "order")))
    assert event.body["model"]["version"] == "2"
    (scored,) = stage.pipe.works[-1].effects.orders
    assert scored.tried.replaced == pytest.approx(scored.probability)
    stage.hear(rolled_back(promotion, "", 0))
    (event,) = on(RISK_EVENTS, stage.pipe.run(order("u", MINUTE, "another")))
    assert event.body["model"]["version"] == "1"


def test_a_worker_that_leaves_takes_its_status_back(stage: Stage) -> None:
    stage.registry.leave()
    left = [notice for notice in stage.told() if notice.topic == MODEL_STATUS]
    assert [(notice.key, notice.value) for notice in left] == [
        (b"group/one/fake-intent", None),
        (b"group/one/fake-risk", None),
        (b"group/one/fake-text", None),
    ]
