"""Models of texts are promoted and rolled back like the others."""

import msgspec
import pytest

from app.registry.control import nothing, promoted, rolled_back, shadowed
from schemas.control import ModelStatus
from schemas.topics import INTENT_EVENTS, MODEL_STATUS
from tests.harness import Record, on
from tests.registry.stage import Stage, alerts

TEXT = nothing("fake-text")


@pytest.fixture
def writing(stage: Stage) -> Stage:
    """A stage whose visitors write."""
    stage.texts = True
    return stage


def read_as(records: list[Record]) -> set[str | None]:
    return {record.body.get("query_intent") for record in on(INTENT_EVENTS, records)}


def test_a_text_model_is_promoted_and_rolled_back_too(writing: Stage) -> None:
    assert read_as(writing.step()) == {"other"}
    promotion = promoted(TEXT, "2", "1", "", 0)
    writing.hear(promotion)
    assert read_as(writing.step()) == {"track_order"}
    writing.hear(rolled_back(promotion, "", 0))
    assert read_as(writing.step()) == {"other"}


@pytest.mark.parametrize(("version", "reason"), [("nan", "MODEL_FAILURES"), ("raising", "MODEL_ERROR")])
def test_a_bad_text_model_is_rolled_back_by_itself(writing: Stage, version: str, reason: str) -> None:
    writing.hear(promoted(TEXT, version, "1", "", 0))
    writing.step()
    assert [alert.reasons for alert in alerts(writing.told())] == [[reason]]
    assert read_as(writing.step()) == {"other"}


def test_what_a_new_text_model_cannot_read_the_one_before_does(writing: Stage) -> None:
    writing.hear(promoted(TEXT, "raising", "1", "", 0))
    records = writing.step()
    assert read_as(records) == {"other"}
    assert len(on(INTENT_EVENTS, records)) == 40


def test_a_text_model_has_no_trials(writing: Stage) -> None:
    notices = writing.hear(shadowed(TEXT, "2", "", 0))
    values = [notice.value for notice in notices if notice.topic == MODEL_STATUS and b"fake-text" in notice.key]
    (status,) = [msgspec.json.decode(value, type=ModelStatus) for value in values if value is not None]
    assert [refusal.version for refusal in status.refused] == ["2"]
    assert "no shadow and no canary" in status.refused[0].reason
