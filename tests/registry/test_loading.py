"""A version that cannot be trusted is refused, and the refusal says what is wrong with it."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx import TensorProto, helper

from app.models.manifest import MANIFEST_FILE, MODEL_FILE, Bins, Golden, Reference, read_manifest
from app.registry.loading import INTENT, RISK, TEXT, Refused
from tests.models.repositories import add_version, committed, replace_graph


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return committed(tmp_path_factory.mktemp("onnx"))


def damaged(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes()[:-100])


def no_model(folder: Path) -> None:
    replace_graph(folder, b"this is no model")


def nothing(folder: Path) -> None:
    replace_graph(folder, b"")


def missing(folder: Path) -> None:
    (folder / MODEL_FILE).unlink()


def unknown_operator(folder: Path) -> None:
    model = onnx.load(folder / MODEL_FILE)
    model.graph.node[0].op_type = "Teleport"
    replace_graph(folder, model.SerializeToString())


def unknown_opset(folder: Path) -> None:
    model = onnx.load(folder / MODEL_FILE)
    model.opset_import[0].version = 99
    replace_graph(folder, model.SerializeToString())


def another_graph(folder: Path) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["features"], ["probability"])],
        "g",
        [value("features", TensorProto.FLOAT, ["n", 3])],
        [value("probability", TensorProto.FLOAT, ["n", 3])],
    )
    replace_graph(folder, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def other_weights(folder: Path) -> None:
    model = onnx.load(folder / MODEL_FILE)
    largest = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    weights = onnx.numpy_helper.to_array(largest) * 1.5
    largest.CopyFrom(onnx.numpy_helper.from_array(weights.astype("float32"), largest.name))
    replace_graph(folder, model.SerializeToString())


def broken_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).write_bytes(b'{"name": "risk"')


def changed(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        manifest = read_manifest(folder / MANIFEST_FILE)
        text = msgspec.json.encode(msgspec.structs.replace(manifest, **changes))
        (folder / MANIFEST_FILE).write_bytes(text)

    return change


def with_a_velocity(folder: Path) -> list[str]:
    """The features of a version, the first of them a velocity."""
    return ["device_users_24h", *read_manifest(folder / MANIFEST_FILE).features[1:]]


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "damaged": (damaged, "is damaged: its SHA-256"),
    "no model": (no_model, "ONNX Runtime cannot load"),
    "nothing": (nothing, "ONNX Runtime cannot load|does not run"),
    "missing": (missing, "cannot read .*model.onnx"),
    "unknown operator": (unknown_operator, "Teleport"),
    "unknown opset": (unknown_opset, "[Oo]pset"),
    "another graph": (another_graph, "does not take its golden batch|does not run"),
    "other weights": (other_weights, "does not give its golden batch again"),
    "broken manifest": (broken_manifest, "manifest.json is damaged"),
    "other features": (changed(features=["a", "b"]), "other features"),
    "no number without velocities": (
        lambda folder: changed(features=with_a_velocity(folder), reference=None)(folder),
        "not finite .*without velocities",
    ),
    "other kind": (changed(kind="intent"), "is a model of kind intent, not risk"),
    "no mapping": (changed(score_mapping=None), "score_mapping"),
    "no golden batch": (changed(golden=None), "no golden batch"),
    "golden of another shape": (changed(golden=Golden({"features": [[1.0]]}, {"probability": [[0.5]]})), "golden"),
    "golden of no numbers": (
        changed(golden=Golden({"features": ["?"]}, {"probability": ["?"]})),
        "golden|does not run",
    ),
    "a reference of other inputs": (
        changed(reference=Reference(1, [Bins("odd", [0.5], [0.5, 0.5])], Bins("score", [0.5], [0.5, 0.5]))),
        "a reference that does not fit its features .*odd",
    ),
    "a reference without bins": (
        changed(reference=Reference(1, [Bins("amount", [], [1.0])], Bins("score", [0.5], [0.5, 0.5]))),
        "the bins of amount are not edges",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_version_is_why_it_is_refused(what: str, repository: Path) -> None:
    spoil, reason = WRONG[what]
    version = str(list(WRONG).index(what) + 10)
    spoil(add_version(repository, "risk", version))
    with pytest.raises(Refused, match=reason):
        RISK.checked(repository, "risk", version, "cpu")


def test_a_version_that_is_not_there_is_refused(repository: Path) -> None:
    with pytest.raises(Refused, match=r"risk/99/manifest.json: No such file"):
        RISK.checked(repository, "risk", "99", "cpu")


@pytest.mark.parametrize("units", [31, None])
def test_states_of_another_size_are_refused(units: int | None, repository: Path) -> None:
    folder = add_version(repository, "intent", str(40 + (units or 0)))
    changed(hidden_units=units)(folder)
    with pytest.raises(Refused, match="hidden units"):
        INTENT.checked(repository, "intent", folder.name, "cpu")


def test_a_click_model_without_its_outputs_is_refused(repository: Path) -> None:
    folder = add_version(repository, "intent", "30")
    another_graph(folder)
    with pytest.raises(Refused, match="run `sluice train intent`"):
        INTENT.checked(repository, "intent", "30", "cpu")


def test_a_good_version_of_each_kind_passes_and_is_ready(repository: Path) -> None:
    assert INTENT.checked(repository, "intent", "1", "cpu").version == "1"
    assert RISK.checked(repository, "risk", "1", "cpu").version == "1"
    assert TEXT.checked(repository, "text", "1", "cpu").version == "1"
