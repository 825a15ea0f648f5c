"""The numbers of an intent model, and its ONNX graph written node by node.

Exporters have changed a GRU's arithmetic silently (pytorch/pytorch#189225); named nodes leave nothing to them.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, OperatorSetIdProto, TensorProto, checker, helper, numpy_helper

from app.models.outlook import CHANCES, OUTLOOK
from app.training.scaling import Scaling
from app.training.tables import Tables
from schemas.outputs import INTENTS, NEXT_ACTIONS

Floats = NDArray[np.float32]

OPSET = 17
PRODUCT_VECTOR = 8
"""Numbers that the model learns about a product."""

DEEP_UNITS = 48
"""Rectified units between the state and inputs, and the heads."""

_IR_VERSION = 9


class IntentWeights(NamedTuple):
    """A GRU cell (arXiv:1406.1078, reset after the product as in cuDNN), rectified units that see its state and the
    inputs together, and heads on all three; scaled inputs and, last among the F columns, the vector of the click's
    product.

    Columns of the gates are update, reset, candidate; columns of the heads are those of ``HEADS``.
    """

    gates_in: Floats  # [F, 3H]
    gates_bias: Floats  # [3H]
    gates_hidden: Floats  # [H, 2H], update and reset
    candidate_hidden: Floats  # [H, H]
    candidate_bias: Floats  # [H]
    heads_hidden: Floats  # [H, heads]
    heads_in: Floats  # [F, heads]
    heads_bias: Floats  # [heads]
    deep_in: Floats  # [F, D]
    deep_hidden: Floats  # [H, D]
    deep_bias: Floats  # [D]
    heads_deep: Floats  # [D, heads]
    product_vectors: Floats  # [products, V], of products seen often; the first stands for all others and counts as 0


HEADS = (*INTENTS, "purchase", *OUTLOOK)
"""Columns of the heads."""

HEAD_PARTS = (len(INTENTS), 1, len(CHANCES), len(NEXT_ACTIONS))
"""How many columns belong together: intents, purchase, the chances of the outlook, the next click."""


@dataclass(frozen=True)
class Calibration:
    """What validation said about the heads: log-odds are multiplied by ``slope`` [heads] and ``offset`` [heads] is
    added (Platt, 1999); heads that share a softmax have one slope, the inverse of its temperature, and no offset."""

    slope: Floats
    offset: Floats

    @classmethod
    def none(cls) -> "Calibration":
        """Leaves the heads as they are."""
        return cls(np.ones(len(HEADS), np.float32), np.zeros(len(HEADS), np.float32))


def initial_weights(inputs: int, products: int, hidden: int, random: np.random.Generator) -> IntentWeights:
    """Small random weights to start training from, for scaled inputs of this number and ``products`` with vectors."""
    inputs += PRODUCT_VECTOR

    def draw(rows: int, columns: int) -> Floats:
        return np.asarray(random.normal(size=(rows, columns)) / np.sqrt(rows), np.float32)

    heads = len(HEADS)
    return IntentWeights(
        gates_in=draw(inputs, 3 * hidden),
        gates_bias=np.zeros(3 * hidden, np.float32),
        gates_hidden=draw(hidden, 2 * hidden),
        candidate_hidden=draw(hidden, hidden),
        candidate_bias=np.zeros(hidden, np.float32),
        heads_hidden=draw(hidden, heads),
        heads_in=np.zeros((inputs, heads), np.float32),
        heads_bias=np.zeros(heads, np.float32),
        deep_in=draw(inputs, DEEP_UNITS),
        deep_hidden=draw(hidden, DEEP_UNITS),
        deep_bias=np.zeros(DEEP_UNITS, np.float32),
        heads_deep=np.zeros((DEEP_UNITS, heads), np.float32),
        product_vectors=np.asarray(random.normal(size=(products, PRODUCT_VECTOR)) * 0.3, np.float32),
    )


def calibrated(weights: IntentWeights, calibration: Calibration) -> IntentWeights:
    """The same weights with the calibration inside the heads."""
    return weights._replace(
        heads_hidden=weights.heads_hidden * calibration.slope,
        heads_in=weights.heads_in * calibration.slope,
        heads_deep=weights.heads_deep * calibration.slope,
        heads_bias=weights.heads_bias * calibration.slope + calibration.offset,
    )


def intent_graph(weights: IntentWeights, scaling: Scaling, tables: Tables) -> bytes:
    """The serialised graph.

    Raw features [n, numbers + 2] and states [n, H] in; states [n, H], probabilities [n, 7], purchase [n, 1] and outlook
    [n, OUTLOOK] out.
    """
    features, hidden = len(scaling.mean) + 2, weights.gates_hidden.shape[0]
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
            value("outlook", TensorProto.FLOAT, ["n", len(OUTLOOK)]),
        ],
        [numpy_helper.from_array(array, name) for name, array in _constants(weights, scaling, tables).items()],
    )
    return serialised(graph)


def serialised(graph: GraphProto, *domains: OperatorSetIdProto) -> bytes:
    """The bytes of a checked model of ``graph``, whose operators may be of other ``domains`` too."""
    opsets = [helper.make_opsetid("", OPSET), *domains]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _constants(weights: IntentWeights, scaling: Scaling, tables: Tables) -> dict[str, NDArray[np.generic]]:
    """The graph's constants: one product gives everything that depends on the features alone."""
    hidden, numbers = weights.gates_hidden.shape[0], len(scaling.mean)
    from_inputs = np.hstack([weights.gates_in, weights.heads_in, weights.deep_in])
    bias = np.concatenate([weights.gates_bias, weights.heads_bias, weights.deep_bias])
    of_numbers, bias = scaling.folded(from_inputs[:numbers], bias)
    return {
        "one": np.array(1, np.float32),
        "feature_parts": np.array([numbers, 1, 1]),
        "products": tables.products,
        "categories": tables.categories,
        "in_weight": np.vstack([of_numbers, from_inputs[numbers:]]),
        "in_bias": bias,
        "gates_hidden": weights.gates_hidden,
        "candidate_hidden": weights.candidate_hidden,
        "candidate_bias": weights.candidate_bias,
        "told_hidden": np.hstack([weights.heads_hidden, weights.deep_hidden]),
        "heads_deep": weights.heads_deep,
        "in_parts": np.array([2 * hidden, hidden, len(HEADS) + DEEP_UNITS]),
        "told_parts": np.array([len(HEADS), DEEP_UNITS]),
        "gate_parts": np.array([hidden, hidden]),
        "head_parts": np.array(HEAD_PARTS),
    }


def _nodes() -> list[NodeProto]:
    node = helper.make_node
    return [
        node("Split", ["features", "feature_parts"], ["numbers", "product_bucket", "category_bucket"], axis=1),
        node("Add", ["numbers", "one"], ["plus_one"]),
        node("Log", ["plus_one"], ["logs"]),
        *_looked_up("product", "products"),
        *_looked_up("category", "categories"),
        node("Concat", ["logs", "of_category", "of_product"], ["inputs"], axis=1),
        node("Gemm", ["inputs", "in_weight", "in_bias"], ["from_features"]),
        node("Split", ["from_features", "in_parts"], ["gates_in", "candidate_in", "told_in"], axis=1),
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
        node("Gemm", ["hidden_after", "told_hidden", "told_in"], ["told"]),
        node("Split", ["told", "told_parts"], ["heads_straight", "deep"], axis=1),
        node("Relu", ["deep"], ["deep_open"]),
        node("Gemm", ["deep_open", "heads_deep", "heads_straight"], ["heads"]),
        node(
            "Split",
            ["heads", "head_parts"],
            ["intent_logits", "purchase_logit", "chance_logits", "next_logits"],
            axis=1,
        ),
        node("Softmax", ["intent_logits"], ["probabilities"], axis=1),
        node("Sigmoid", ["purchase_logit"], ["purchase"]),
        node("Sigmoid", ["chance_logits"], ["chances"]),
        node("Softmax", ["next_logits"], ["next"], axis=1),
        node("Concat", ["chances", "next"], ["outlook"], axis=1),
    ]


def _looked_up(what: str, table: str) -> list[NodeProto]:
    """The row of ``table`` for each bucket, which must be one of the table's, as the catalogue sees to: every node more
    would cost a call for each wave."""
    node = helper.make_node
    return [
        node("Cast", [f"{what}_bucket"], [f"{what}_index"], to=TensorProto.INT64),
        node("GatherND", [table, f"{what}_index"], [f"of_{what}"]),
    ]
