"""The text model as an ONNX graph: an embedding bag of int8, one hidden layer, one sigmoid per output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy import sparse

Floats = NDArray[np.float32]
Counts: TypeAlias = sparse.csr_matrix
"""How often each text has each n-gram [n, BUCKETS]."""

OPSET = 18  # the first whose ScatterND adds
STEEPNESS = 1.702
_LEVELS = 127


@dataclass(frozen=True, eq=False)
class TextWeights:
    """An embedding bag and its heads.

    ``table`` [BUCKETS, D] holds what an n-gram adds, ``squares`` [BUCKETS] the square of its weight, by whose sum over
    the text the root is taken that divides the bag; ``bias`` [D], ``heads`` [D, K] and ``head_bias`` [K].
    """

    table: Floats
    squares: Floats
    bias: Floats
    heads: Floats
    head_bias: Floats

    def quantised(self) -> "TextWeights":
        """The weights that the int8 table stands for."""
        codes, scale = _quantised(self.rows)
        rows = codes.astype(np.float32) * scale
        return TextWeights(rows[:, :-1], rows[:, -1], self.bias, self.heads, self.head_bias)

    def logits(self, counts: Counts) -> Floats:
        """Log-odds [n, K] of texts with these n-grams, a sparse matrix [n, BUCKETS]."""
        length = np.sqrt(np.maximum(counts @ self.squares, TINY))
        hidden = (counts @ self.table) / length[:, None] + self.bias
        active = hidden * sigmoid(STEEPNESS * hidden)
        return np.asarray(active @ self.heads + self.head_bias, np.float32)

    @property
    def rows(self) -> Floats:
        """The table with the squares as its last column [BUCKETS, D + 1]."""
        return np.column_stack((self.table, self.squares))


def beside(one: TextWeights, other: TextWeights) -> TextWeights:
    """One model with the outputs of both, each of its own units; they weigh n-grams alike."""
    apart = np.zeros((len(one.heads) + len(other.heads), one.heads.shape[1] + other.heads.shape[1]), np.float32)
    apart[: len(one.heads), : one.heads.shape[1]] = one.heads
    apart[len(one.heads) :, one.heads.shape[1] :] = other.heads
    return TextWeights(
        np.hstack([one.table, other.table]),
        np.maximum(one.squares, other.squares),
        np.concatenate([one.bias, other.bias]),
        apart,
        np.concatenate([one.head_bias, other.head_bias]),
    )


def averaged(members: Sequence[TextWeights]) -> TextWeights:
    """One model whose log-odds are the mean of those of ``members``, which weigh n-grams alike."""
    return TextWeights(
        np.hstack([one.table for one in members]),
        members[0].squares,
        np.concatenate([one.bias for one in members]),
        np.asarray(np.concatenate([one.heads for one in members]) / len(members), np.float32),
        np.asarray(np.mean([one.head_bias for one in members], axis=0), np.float32),
    )


TINY = np.float32(1e-6)


def sigmoid(values: NDArray[np.floating[Any]]) -> Floats:
    """The logistic function."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), np.float32)


def _quantised(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """The nearest int8 [BUCKETS, D + 1] of ``rows``, and what one step of each column is worth [D + 1]."""
    scale = (np.maximum(np.abs(rows).max(axis=0), TINY) / _LEVELS).astype(np.float32)
    return np.rint(rows / scale).astype(np.int8), scale


def text_graph(weights: TextWeights, outputs: dict[str, int], quantise: bool = True) -> bytes:
    """The model, serialised: from ``buckets`` [m], the ``text`` [m, 1] of each and the number of ``texts`` [1].

    Args:
        weights: of K outputs in all.
        outputs: names, and how many of the K each has, in order; each is [n, its size].
        quantise: whether the table is stored as int8.
    """
    rows = weights.rows
    size = weights.table.shape[1]
    table, scale = _quantised(rows) if quantise else (rows, np.ones(size + 1, np.float32))
    constants = {
        "table": table,
        "scale": scale,
        "size": np.array([size + 1]),
        "tiny": np.array(TINY),
        "parts": np.array([size, 1]),
        "steepness": np.array(STEEPNESS, np.float32),
        "bias": weights.bias,
        "heads": weights.heads,
        "head_bias": weights.head_bias,
        "sizes": np.array(list(outputs.values())),
    }
    # Sums of whole numbers are exact, so a text's result does not depend on those beside it.
    nodes = [
        helper.make_node("Gather", ["table", "buckets"], ["codes"]),
        helper.make_node("Cast", ["codes"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["texts", "size"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ScatterND", ["zeros", "text", "numbers"], ["counted"], reduction="add"),
        helper.make_node("Mul", ["counted", "scale"], ["sums"]),
        helper.make_node("Split", ["sums", "parts"], ["bag", "squares"], axis=1),
        helper.make_node("Max", ["squares", "tiny"], ["positive"]),
        helper.make_node("Sqrt", ["positive"], ["length"]),
        helper.make_node("Div", ["bag", "length"], ["even"]),
        helper.make_node("Add", ["even", "bias"], ["hidden"]),
        helper.make_node("Mul", ["hidden", "steepness"], ["steep"]),
        helper.make_node("Sigmoid", ["steep"], ["gate"]),
        helper.make_node("Mul", ["hidden", "gate"], ["active"]),
        helper.make_node("MatMul", ["active", "heads"], ["weighted"]),
        helper.make_node("Add", ["weighted", "head_bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        helper.make_node("Split", ["probabilities", "sizes"], list(outputs), axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "text",
        [
            helper.make_tensor_value_info("buckets", TensorProto.INT32, ["m"]),
            helper.make_tensor_value_info("text", TensorProto.INT64, ["m", 1]),
            helper.make_tensor_value_info("texts", TensorProto.INT64, [1]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, producer_name="sluice", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised
