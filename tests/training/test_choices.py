"""What a model names, beside what is usual."""

import numpy as np
import pytest

from app.models.manifest import DataFile
from app.models.outlook import FIRST_ACTION
from app.models.runtime import Floats, IntentModel, IntentScores
from app.training.choices import choices
from app.training.click_sets import ClickSet, labelled
from app.training.rows import click_rows
from app.training.sources import LEARN, MEASURE
from schemas.outputs import NEXT_ACTIONS
from tests.fakes import FakeIntentModel
from tests.models.builders import intent_graph
from tests.training.recordings import LIFETIMES, ignored, shop


class Leaving(FakeIntentModel):
    """Every click is the last, it says."""

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        scores = super().score(features, hidden)
        assert scores.outlook is not None
        scores.outlook[:, FIRST_ACTION:] = np.eye(len(NEXT_ACTIONS))[NEXT_ACTIONS.index("none")]
        return scores


@pytest.fixture(scope="module")
def one() -> ClickSet:
    rows = click_rows(shop(4_000), LIFETIMES, ignored)
    part = np.where(rows.ts < np.median(rows.ts), LEARN, MEASURE)
    return labelled("shop", rows, part, DataFile("", "", "", 0), "")


def test_who_says_that_every_click_is_the_last_is_right_about_those_that_are(one: ClickSet) -> None:
    measured = one.part == MEASURE
    found = choices(one, measured, Leaving(), one)
    assert found["next_action"]["model"]["accuracy"] == pytest.approx(one.outlook.ends[measured].mean(), abs=1e-4)
    assert found["intent"].keys() == found["next_action"].keys() == {"model", "prior", "transitions"}


def test_what_is_usual_after_a_click_of_the_type_says_more_than_what_is_usual(one: ClickSet) -> None:
    found = choices(one, one.part == MEASURE, Leaving(), one)["next_action"]
    assert found["transitions"]["log_loss"] < found["prior"]["log_loss"]
    assert found["transitions"]["accuracy"] > found["prior"]["accuracy"]


def test_without_the_past_of_the_set_the_model_stands_alone(one: ClickSet) -> None:
    found = choices(one, one.part == MEASURE, Leaving(), None)
    assert {name: list(beside) for name, beside in found.items()} == {"intent": ["model"], "next_action": ["model"]}


def test_a_model_that_says_nothing_of_the_next_click_is_not_asked(one: ClickSet) -> None:
    assert choices(one, one.part == MEASURE, IntentModel(intent_graph(), "intent", "1"), one).keys() == {"intent"}
