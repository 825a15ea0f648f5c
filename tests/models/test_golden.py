"""A model that does not give its golden batch again is not used, and it is said where it differs."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.cli.errors import UsageProblem
from app.features.clicks import CLICK_FEATURES
from app.models.golden import check_golden, golden_of, sample_inputs
from app.models.manifest import MANIFEST_FILE, MODEL_FILE, Golden, Tensor, read_manifest, write_manifest
from app.models.session import session_of
from app.state.rows import HIDDEN_UNITS
from tests.models.builders import Floats, intent_graph, intent_manifest

REPOSITORY = Path(__file__).resolve().parent.parent.parent / "onnx"
FOLDERS = sorted(path.parent for path in REPOSITORY.glob(f"*/*/{MANIFEST_FILE}"))
OUTPUTS = ["hidden_after", "probabilities", "purchase"]
INPUTS = [
    Tensor("features", "float32", ["n", len(CLICK_FEATURES)], ""),
    Tensor("hidden", "float32", ["n", HIDDEN_UNITS], ""),
]


@pytest.fixture(scope="module")
def golden() -> Golden:
    return golden_of(session_of(intent_graph()), sample_inputs(INPUTS), OUTPUTS)


def changed(golden: Golden, name: str, by: float) -> Golden:
    rows = np.array(golden.outputs[name])
    rows[-1, 0] += by
    return Golden(golden.inputs, golden.outputs | {name: rows.tolist()})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_model_of_the_repository_gives_its_golden_batch_again(folder: Path) -> None:
    manifest = read_manifest(folder / MANIFEST_FILE)
    assert manifest.golden is not None
    dtypes = {tensor.name: tensor.dtype for tensor in manifest.inputs}
    check_golden(session_of((folder / MODEL_FILE).read_bytes()), manifest.golden, dtypes)


def test_a_difference_within_the_tolerance_is_none(golden: Golden) -> None:
    check_golden(session_of(intent_graph()), changed(golden, "probabilities", 5e-5), {})


def test_a_difference_is_said_with_its_place_and_both_numbers(golden: Golden) -> None:
    with pytest.raises(UsageProblem, match=r"again: probabilities\[3, 0\] is .* here, and was .* when it was stored"):
        check_golden(session_of(intent_graph()), changed(golden, "probabilities", 2e-4), {})


def test_inputs_that_the_graph_does_not_take_are_said(golden: Golden) -> None:
    with pytest.raises(UsageProblem, match="does not take its golden batch"):
        check_golden(session_of(intent_graph()), Golden({"text": [[1.0]]}, golden.outputs), {})


def test_outputs_of_another_shape_are_said(golden: Golden) -> None:
    with pytest.raises(UsageProblem, match=r"golden output purchase has shape \[4, 2\], here it is \[4, 1\]"):
        check_golden(session_of(intent_graph()), Golden(golden.inputs, {"purchase": [[0.0, 0.0]] * 4}), {})


class NotANumber:
    """A session whose outputs are not finite."""

    def run(self, outputs: object, feeds: object) -> list[Floats]:
        return [np.full((4, 1), np.nan, np.float32)]

    def get_providers(self) -> list[str]:
        return []


def test_numbers_that_are_not_finite_are_never_golden() -> None:
    with pytest.raises(UsageProblem, match=r"not finite \(purchase\)"):
        golden_of(NotANumber(), sample_inputs(INPUTS), ["purchase"])
    with pytest.raises(UsageProblem, match="purchase has numbers that are not finite here"):
        check_golden(NotANumber(), Golden({}, {"purchase": [[0.5]] * 4}), {})


def test_a_golden_batch_is_stored_in_one_line_and_read_again(golden: Golden, tmp_path: Path) -> None:
    manifest = msgspec.structs.replace(intent_manifest(intent_graph(), "1"), golden=golden)
    write_manifest(tmp_path / MANIFEST_FILE, manifest)
    assert read_manifest(tmp_path / MANIFEST_FILE) == manifest
    (line,) = [line for line in (tmp_path / MANIFEST_FILE).read_text().splitlines() if '"golden"' in line]
    assert '"hidden_after"' in line
