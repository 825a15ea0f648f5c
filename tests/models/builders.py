"""Models for tests: tiny graphs on disk, and a click model in plain NumPy."""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from app.features.clicks import CLICK_FEATURES
from app.models.manifest import MANIFEST_FILE, MODEL_FILE, Manifest, Tensor, write_manifest
from app.models.runtime import IntentScores, TurnByTurn
from app.state.rows import HIDDEN_UNITS
from schemas.outputs import INTENTS

Floats = NDArray[np.float32]


class CountingModel(TurnByTurn):
    """A deterministic recurrent model of 3 features and 2 state units that counts its calls."""

    name, version, encoder = "counting", "1", "counting"

    def __init__(self) -> None:
        self.calls = 0
        random = np.random.default_rng(7)
        self._inward = random.normal(size=(3, 2)).astype(np.float32)
        self._across = random.normal(size=(2, 2)).astype(np.float32)
        self._out = random.normal(size=(2, len(INTENTS))).astype(np.float32)

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        self.calls += 1
        after = np.tanh(features @ self._inward + hidden @ self._across)
        odds = np.exp(after @ self._out)
        return IntentScores(after, odds / odds.sum(axis=1, keepdims=True), after[:, 0] ** 2)


def intent_graph(hidden: int = HIDDEN_UNITS) -> bytes:
    """A graph with the click model's inputs and outputs that hands the state of so many numbers through."""
    features = len(CLICK_FEATURES)
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Identity", ["hidden"], ["hidden_after"]),
        helper.make_node("MatMul", ["features", "weights"], ["odds"]),
        helper.make_node("Softmax", ["odds"], ["probabilities"], axis=1),
        helper.make_node("MatMul", ["hidden", "column"], ["purchase"]),
    ]
    graph = helper.make_graph(
        nodes,
        "intent",
        [value("features", TensorProto.FLOAT, ["n", features]), value("hidden", TensorProto.FLOAT, ["n", hidden])],
        [
            value("hidden_after", TensorProto.FLOAT, ["n", hidden]),
            value("probabilities", TensorProto.FLOAT, ["n", len(INTENTS)]),
            value("purchase", TensorProto.FLOAT, ["n", 1]),
        ],
        [
            numpy_helper.from_array(np.zeros((features, len(INTENTS)), np.float32), "weights"),
            numpy_helper.from_array(np.full((hidden, 1), 1 / hidden, np.float32), "column"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def intent_manifest(graph: bytes, version: str = "1", hidden: int = HIDDEN_UNITS) -> Manifest:
    return Manifest(
        name="intent",
        version=version,
        kind="intent",
        created="2026-01-01T00:00:00Z",
        digest=hashlib.sha256(graph).hexdigest(),
        opset=17,
        inputs=[
            Tensor("features", "float32", ["n", len(CLICK_FEATURES)], "of the catalogue"),
            Tensor("hidden", "float32", ["n", hidden], "state"),
        ],
        outputs=[Tensor(name, "float32", ["n"], "any") for name in ("hidden_after", "probabilities", "purchase")],
        features=[feature.name for feature in CLICK_FEATURES],
        data=[],
        split={},
        metrics={},
        calibration={},
        hidden_units=hidden,
        encoder="test",
    )


def store(repository: Path, manifest: Manifest, graph: bytes) -> Path:
    """Write a model where the repository keeps it, and return its folder."""
    folder = repository / manifest.name / manifest.version
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(graph)
    write_manifest(folder / MANIFEST_FILE, manifest)
    return folder


def store_intent(repository: Path, version: str = "1", **changes: object) -> Path:
    """Store the click model of `intent_graph`, with some of its manifest changed."""
    graph = intent_graph()
    return store(repository, msgspec.structs.replace(intent_manifest(graph, version), **changes), graph)
