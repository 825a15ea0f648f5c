"""What a worker meets when it opens a model: one line that says what to do, or a model that runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.cli.errors import UsageProblem
from app.features.clicks import CLICK_FEATURES
from app.models.manifest import MANIFEST_FILE, MODEL_FILE
from app.models.runtime import load_intent, load_risk
from app.state.rows import HIDDEN_UNITS
from tests.models.builders import store_intent


def test_a_stored_model_scores(tmp_path: Path) -> None:
    store_intent(tmp_path)
    model = load_intent(tmp_path)
    hidden = np.ones((3, HIDDEN_UNITS), np.float32)
    scores = model.score(np.zeros((3, len(CLICK_FEATURES)), np.float32), hidden)
    assert (model.name, model.version, model.encoder) == ("intent", "1", "test")
    np.testing.assert_array_equal(scores.hidden, hidden)
    np.testing.assert_allclose(scores.probabilities, np.full((3, 7), 1 / 7), rtol=1e-6)
    np.testing.assert_allclose(scores.purchase, np.ones(3), rtol=1e-6)


def test_the_newest_version_is_the_highest_number_and_an_older_one_can_be_named(tmp_path: Path) -> None:
    for version in ("2", "9", "10"):
        store_intent(tmp_path, version)
    (tmp_path / "intent" / "notes").mkdir()
    assert load_intent(tmp_path).version == "10"
    assert load_intent(tmp_path, version="2").version == "2"


def test_a_missing_model_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="run `sluice train intent`"):
        load_intent(tmp_path)
    with pytest.raises(UsageProblem, match="run `sluice train risk`"):
        load_risk(tmp_path)


def test_a_missing_version_is_named(tmp_path: Path) -> None:
    store_intent(tmp_path)
    with pytest.raises(UsageProblem, match=r"intent/3/manifest\.json"):
        load_intent(tmp_path, version="3")


def test_a_missing_graph_is_a_usage_problem(tmp_path: Path) -> None:
    (store_intent(tmp_path) / MODEL_FILE).unlink()
    with pytest.raises(UsageProblem, match=r"cannot read .*model\.onnx"):
        load_intent(tmp_path)


def test_one_changed_byte_is_found_before_the_graph_runs(tmp_path: Path) -> None:
    path = store_intent(tmp_path) / MODEL_FILE
    graph = bytearray(path.read_bytes())
    graph[len(graph) // 2] ^= 1
    path.write_bytes(graph)
    with pytest.raises(UsageProblem, match=r"model\.onnx is damaged: its SHA-256"):
        load_intent(tmp_path)


def test_a_file_that_is_no_graph_is_a_usage_problem_even_with_its_digest(tmp_path: Path) -> None:
    nothing_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (store_intent(tmp_path, digest=nothing_sha256) / MODEL_FILE).write_bytes(b"")
    with pytest.raises(UsageProblem, match="ONNX Runtime cannot load"):
        load_intent(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b'{"name": "intent"}', b"\xff"])
def test_a_damaged_manifest_is_a_usage_problem(tmp_path: Path, text: bytes) -> None:
    (store_intent(tmp_path) / MANIFEST_FILE).write_bytes(text)
    with pytest.raises(UsageProblem, match=r"manifest\.json is damaged"):
        load_intent(tmp_path)


def test_features_in_another_order_are_refused_and_the_first_difference_is_named(tmp_path: Path) -> None:
    names = [feature.name for feature in CLICK_FEATURES]
    store_intent(tmp_path, features=[names[1], names[0], *names[2:]])
    with pytest.raises(UsageProblem, match=f"column 0 is {names[1]}, here {names[0]}"):
        load_intent(tmp_path)


def test_features_that_lack_the_last_column_are_refused(tmp_path: Path) -> None:
    names = [feature.name for feature in CLICK_FEATURES]
    store_intent(tmp_path, features=names[:-1])
    with pytest.raises(UsageProblem, match=f"it has {len(names) - 1} columns, here there are {len(names)}"):
        load_intent(tmp_path)


def test_another_size_of_state_is_refused(tmp_path: Path) -> None:
    store_intent(tmp_path, hidden_units=64)
    with pytest.raises(UsageProblem, match="64 hidden units"):
        load_intent(tmp_path)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    store_intent(tmp_path)
    with pytest.raises(UsageProblem, match="is a model of kind intent, not risk"):
        load_risk(tmp_path, name="intent")


def test_running_models_needs_no_training_library() -> None:
    code = (
        "import sys, app.models.runtime, app.models.waves, app.models.score\n"
        "print(sorted({'jax', 'onnx', 'sklearn', 'optax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
