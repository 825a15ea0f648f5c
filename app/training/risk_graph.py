"""The numbers of a risk model, and its ONNX graph written node by node."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from app.training.intent_weights import serialised
from app.training.ramps import Ramps

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RiskWeights:
    """An additive model.

    ``steps`` [G, K] are what each ramp adds to the log-odds, ``centre`` [G] what it adds on average (not part of its
    contribution), and ``base`` the log-odds of an order that is average throughout.
    """

    ramps: Ramps
    steps: Floats
    centre: Floats
    base: float

    def log_odds(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Log-odds of fraud [n] of raw features [n, G]."""
        contributions = self.ramps.apply(features).reshape(-1, *self.steps.shape) * self.steps
        return np.asarray(contributions.sum(axis=(1, 2), dtype=np.float64) - self.centre.sum() + self.base)

    def calibrated(self, slope: float, offset: float) -> "RiskWeights":
        """The model whose log-odds are ``slope`` times these plus ``offset``."""
        return replace(
            self,
            steps=(self.steps * slope).astype(np.float32),
            centre=(self.centre * slope).astype(np.float32),
            base=self.base * slope + offset,
        )


def risk_graph(weights: RiskWeights) -> bytes:
    """The serialised graph: raw features [n, G] in, probability [n, 1] and contributions [n, G] in log-odds out."""
    features = len(weights.centre)
    value = helper.make_tensor_value_info
    constants: dict[str, Any] = {
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.float32),
        "starts": weights.ramps.starts,
        "slopes": weights.ramps.slopes,
        "steps": weights.steps,
        "centre": weights.centre,
        "base": np.array(weights.base, np.float32),
        "knot_axis": np.array([2]),
        "feature_axis": np.array([1]),
    }
    graph = helper.make_graph(
        _nodes(),
        "risk",
        [value("features", TensorProto.FLOAT, ["n", features])],
        [
            value("probability", TensorProto.FLOAT, ["n", 1]),
            value("contributions", TensorProto.FLOAT, ["n", features]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return serialised(graph)


def _nodes() -> list[NodeProto]:
    node = helper.make_node
    return [
        node("Add", ["features", "one"], ["plus_one"]),
        node("Log", ["plus_one"], ["logs"]),
        node("Unsqueeze", ["logs", "knot_axis"], ["each_log"]),
        node("Sub", ["each_log", "starts"], ["beyond"]),
        node("Mul", ["beyond", "slopes"], ["risen"]),
        node("Clip", ["risen", "zero", "one"], ["ramps"]),
        node("Mul", ["ramps", "steps"], ["added"]),
        node("ReduceSum", ["added", "knot_axis"], ["sums"], keepdims=0),
        node("Sub", ["sums", "centre"], ["contributions"]),
        node("ReduceSum", ["contributions", "feature_axis"], ["total"], keepdims=1),
        node("Add", ["total", "base"], ["log_odds"]),
        node("Sigmoid", ["log_odds"], ["probability"]),
    ]
