"""What `sluice models` prints: everything that is in force, for people and for programs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.models import models
from app.registry.commanding import InForce, Outcome
from app.registry.shown import listed, outcome, table
from schemas.control import Comparison, ModelControl, ModelStatus, Refusal
from tests.models.repositories import COMMITTED

NOW = 1_800_000_000_000
CONTROL = ModelControl("intent", 4, NOW, "who", serving="2", previous="1", shadow="3", canary="4", canary_share=0.2)
STATUS = ModelStatus(
    group="g",
    instance="one",
    name="intent",
    revision=4,
    serving="2",
    at=NOW - 5_000,
    shadow="3",
    canary="4",
    canary_share=0.2,
    refused=[Refusal("9", "it is damaged")],
    trials=[Comparison("3", "shadow", 1_000, 0, 0.01, shift=0.05, agreement=0.97, latency=1.2)],
)
GONE = ModelStatus(group="g", instance="two", name="intent", revision=3, serving="1", at=NOW - 600_000)


@pytest.fixture
def found() -> InForce:
    return InForce({"intent": CONTROL}, [STATUS, GONE])


def test_every_model_is_listed_with_what_is_in_force_and_what_workers_run(found: InForce) -> None:
    lines = {line["name"]: line for line in listed(found, COMMITTED, NOW)}
    assert lines["intent"]["control"]["serving"] == "2"
    assert [(one["instance"], one["serving"], one["told_s_ago"]) for one in lines["intent"]["workers"]] == [
        ("one", "2", 5.0),
        ("two", "1", 600.0),
    ]
    assert (lines["risk"]["control"], lines["risk"]["workers"]) == (None, [])


def test_people_read_who_runs_what_and_why_not(found: InForce, capsys: pytest.CaptureFixture[str]) -> None:
    table(listed(found, COMMITTED, NOW))
    words = " ".join(capsys.readouterr().out.split())
    assert "revision 4 (who), serves 2, before 1, shadow 3, canary 4 for 20% of the users" in words
    assert "the settings of the workers decide" in words
    assert "g/one" in words
    assert "600 s ago" in words


def test_a_worker_that_has_not_told_its_status_for_long_is_not_waited_for(found: InForce) -> None:
    assert [one.instance for one in found.running("intent", NOW)] == ["one"]


def test_an_outcome_tells_who_refused_what() -> None:
    told = outcome(Outcome(CONTROL, [STATUS], ["g/two"], withdrawn=True))
    assert (told["workers"], told["silent"], told["withdrawn"]) == (["g/one runs 2"], ["g/two"], True)
    assert told["refused"] == ["g/one refused intent/9: it is damaged"]


def test_show_prints_the_manifest_of_a_version_or_of_the_newest() -> None:
    places = ["--json", "--model-repository", str(COMMITTED)]
    shown = json.loads(CliRunner().invoke(models, ["show", "risk/1", *places]).stdout)
    assert (shown["kind"], shown["version"], shown["golden"]) == ("risk", "1", True)
    newest = json.loads(CliRunner().invoke(models, ["show", "risk", *places]).stdout)
    assert newest["name"] == "risk"
    assert CliRunner().invoke(models, ["show", "nothing", *places]).exit_code == 2


def test_a_canary_needs_a_share_and_a_version(tmp_path: Path) -> None:
    ended = CliRunner().invoke(models, ["canary", "intent", "--model-repository", str(tmp_path)])
    assert (ended.exit_code, "names no version" in ended.stderr) == (2, True)
