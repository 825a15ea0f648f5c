"""The numbers of an intent model, and its ONNX graph written node by node.

Exporters have changed a GRU's arithmetic silently (pytorch/pytorch#189225); eighteen named nodes leave nothing to them.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, checker, helper, numpy_helper

from app.training.scaling import Scaling
from schemas.outputs import INTENTS

Floats = NDArray[np.float32]

OPSET = 17
_IR_VERSION = 9


class IntentWeights(NamedTuple):
    """A GRU cell (arXiv:1406.1078, reset after the product as in cuDNN) and linear heads, on scaled features.

    Columns of the gates are update, reset, candidate; columns of the heads are the intents, then the purchase.
    """

    gates_in: Floats  # [F, 3H]
    gates_bias: Floats  # [3H]
    gates_hidden: Floats  # [H, 2H], update and reset
    candidate_hidden: Floats  # [H, H]
    candidate_bias: Floats  # [H]
    heads_hidden: Floats  # [H, 8]
    heads_in: Floats  # [F, 8]
    heads_bias: Floats  # [8]


@dataclass(frozen=True)
class Calibration:
    """What validation said about the heads: intents are divided by ``temperature``; the purchase's log-odds become
    ``slope`` times themselves plus ``offset`` (Platt, 1999)."""

    temperature: float = 1.0
    slope: float = 1.0
    offset: float = 0.0


def initial_weights(features: int, hidden: int, random: np.random.Generator) -> IntentWeights:
    """Small random weights to start training from."""

    def draw(rows: int, columns: int) -> Floats:
        return np.asarray(random.normal(size=(rows, columns)) / np.sqrt(rows), np.float32)

    heads = len(INTENTS) + 1
    return IntentWeights(
        gates_in=draw(features, 3 * hidden),
        gates_bias=np.zeros(3 * hidden, np.float32),
        gates_hidden=draw(hidden, 2 * hidden),
        candidate_hidden=draw(hidden, hidden),
        candidate_bias=np.zeros(hidden, np.float32),
        heads_hidden=draw(hidden, heads),
        heads_in=np.zeros((features, heads), np.float32),
        heads_bias=np.zeros(heads, np.float32),
    )


def calibrated(weights: IntentWeights, calibration: Calibration) -> IntentWeights:
    """The same weights with the calibration inside the heads."""
    factor = np.full(len(INTENTS) + 1, 1 / calibration.temperature, np.float32)
    factor[-1] = calibration.slope
    offset = np.zeros_like(factor)
    offset[-1] = calibration.offset
    return weights._replace(
        heads_hidden=weights.heads_hidden * factor,
        heads_in=weights.heads_in * factor,
        heads_bias=weights.heads_bias * factor + offset,
    )


def intent_graph(weights: IntentWeights, scaling: Scaling) -> bytes:
    """The serialised graph.

    Raw features [n, F] and states [n, H] in; states [n, H], probabilities [n, 7] and purchase [n, 1] out.
    """
    features, hidden = weights.gates_in.shape[0], weights.gates_hidden.shape[0]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        _nodes(),
        "intent",
        [
            value("features", TensorProto.FLOAT, ["n", features]),
            value("hidden", TensorProto.FLOAT, ["n", hidden]),
        ],
        [
            value("hidden_after", TensorProto.FLOAT, ["n", hidden]),
            value("probabilities", TensorProto.FLOAT, ["n", len(INTENTS)]),
            value("purchase", TensorProto.FLOAT, ["n", 1]),
        ],
        [numpy_helper.from_array(array, name) for name, array in _constants(weights, scaling).items()],
    )
    return serialised(graph)


def serialised(graph: GraphProto) -> bytes:
    """The bytes of a checked model of ``graph``."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _constants(weights: IntentWeights, scaling: Scaling) -> dict[str, NDArray[np.generic]]:
    """The graph's constants: one product gives everything that depends on the features alone."""
    hidden = weights.gates_hidden.shape[0]
    from_features = np.hstack([weights.gates_in, weights.heads_in])
    bias = np.concatenate([weights.gates_bias, weights.heads_bias])
    weight, bias = scaling.folded(from_features, bias)
    return {
        "one": np.array(1, np.float32),
        "in_weight": weight,
        "in_bias": bias,
        "gates_hidden": weights.gates_hidden,
        "candidate_hidden": weights.candidate_hidden,
        "candidate_bias": weights.candidate_bias,
        "heads_hidden": weights.heads_hidden,
        "in_parts": np.array([2 * hidden, hidden, len(INTENTS) + 1]),
        "gate_parts": np.array([hidden, hidden]),
        "head_parts": np.array([len(INTENTS), 1]),
    }


def _nodes() -> list[NodeProto]:
    node = helper.make_node
    return [
        node("Add", ["features", "one"], ["plus_one"]),
        node("Log", ["plus_one"], ["logs"]),
        node("Gemm", ["logs", "in_weight", "in_bias"], ["from_features"]),
        node("Split", ["from_features", "in_parts"], ["gates_in", "candidate_in", "heads_in"], axis=1),
        node("Gemm", ["hidden", "gates_hidden", "gates_in"], ["gates"]),
        node("Sigmoid", ["gates"], ["open_gates"]),
        node("Split", ["open_gates", "gate_parts"], ["update", "reset"], axis=1),
        node("Gemm", ["hidden", "candidate_hidden", "candidate_bias"], ["candidate_from_hidden"]),
        node("Mul", ["reset", "candidate_from_hidden"], ["candidate_reset"]),
        node("Add", ["candidate_reset", "candidate_in"], ["candidate_sum"]),
        node("Tanh", ["candidate_sum"], ["candidate"]),
        node("Sub", ["hidden", "candidate"], ["difference"]),
        node("Mul", ["update", "difference"], ["kept"]),
        node("Add", ["kept", "candidate"], ["hidden_after"]),
        node("Gemm", ["hidden_after", "heads_hidden", "heads_in"], ["heads"]),
        node("Split", ["heads", "head_parts"], ["intent_logits", "purchase_logit"], axis=1),
        node("Softmax", ["intent_logits"], ["probabilities"], axis=1),
        node("Sigmoid", ["purchase_logit"], ["purchase"]),
    ]
