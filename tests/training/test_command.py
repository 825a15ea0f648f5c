"""``sluice train``: a new version beside the old ones, and one line where it cannot."""

import json
import sys
from pathlib import Path

import msgspec
import pytest

from app.cli.main import main
from app.training import run
from app.training.storing import Trained
from tests.models.builders import intent_graph, intent_manifest, store_intent


def test_a_folder_without_data_is_named_in_one_line_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", "intent", "--data", str(tmp_path), "--model-repository", str(tmp_path)])
    assert code == 2
    assert "name the folder of the data sets with --data" in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_without_the_training_libraries_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "app.training.run", None)
    assert main(["train", "risk", "--model-repository", str(tmp_path)]) == 2
    assert "install the extra `train`" in capsys.readouterr().err


def test_a_wider_model_has_a_name_of_its_own_that_no_worker_takes_for_its_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def trained(*given: object) -> Trained:
        asked.append(given[-1])
        manifest = msgspec.structs.replace(intent_manifest(intent_graph()), name="intent-256")
        return Trained(intent_graph(), manifest)

    monkeypatch.setattr(run, "trained", trained)
    assert main(["train", "intent", "--units", "256", "--json", "--model-repository", str(tmp_path)]) == 0
    assert asked == [256]
    assert json.loads(capsys.readouterr().out)["model"] == "intent-256/1"
    assert [path.name for path in tmp_path.iterdir()] == ["intent-256"]


def test_the_width_of_a_model_that_has_no_state_is_a_usage_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "risk", "--units", "64", "--model-repository", str(tmp_path)]) == 2
    assert "--units is for `sluice train intent`" in capsys.readouterr().err


def test_a_training_becomes_the_newest_version_and_reports_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store_intent(tmp_path, "1")

    def trained(kind: str, data: Path, version: str, *_: object) -> Trained:
        return Trained(intent_graph(), intent_manifest(intent_graph(), version))

    monkeypatch.setattr(run, "trained", trained)
    assert main(["train", "intent", "--json", "--model-repository", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "intent/2"
    assert (tmp_path / "intent" / "2" / "model.onnx").is_file()
