"""Gradient-boosted trees as an ONNX graph that also says what each feature added.

A leaf carries one number per feature instead of one: what the splits on that feature along its path have added to the
mean of the rows that came by. Their sum and a constant are the log-odds, so the reasons are exact (Saabas,
"Interpreting random forests", 2014).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier

from app.training.intent_weights import serialised

Floats = NDArray[np.float32]

_ML_OPSET = 3


@dataclass(frozen=True)
class Node:
    """A split, or a leaf where ``feature`` is None: then ``added`` holds what each feature added on the way to it."""

    feature: int | None
    threshold: float
    left: int
    right: int
    missing_left: bool
    added: dict[int, float]


@dataclass(frozen=True)
class Trees:
    """``base`` are the log-odds of a mean row; each tree's nodes, its root first."""

    base: float
    trees: list[list[Node]]
    features: int

    def calibrated(self, slope: float, offset: float) -> "Trees":
        """The model whose log-odds are ``slope`` times these plus ``offset``."""
        return Trees(
            self.base * slope + offset,
            [[replace(node, added=_scaled(node.added, slope)) for node in tree] for tree in self.trees],
            self.features,
        )


def trees_of(model: HistGradientBoostingClassifier, columns: NDArray[np.int64]) -> Trees:
    """The trees of a fitted model of two classes whose input ``i`` is feature ``columns[i]``."""
    base = float(model._baseline_prediction.ravel()[0])
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        means = _means(nodes)
        base += means[0]
        trees.append(list(_nodes(nodes, means, columns)))
    return Trees(base, trees, int(columns.max()) + 1)


def _means(nodes: NDArray[np.void]) -> list[float]:
    """The mean value of the training rows at each node."""
    means = [0.0] * len(nodes)
    for index in range(len(nodes) - 1, -1, -1):  # children come after their parents
        node = nodes[index]
        if node["is_leaf"]:
            means[index] = float(node["value"])
        else:
            left, right = int(node["left"]), int(node["right"])
            counts = int(nodes[left]["count"]), int(nodes[right]["count"])
            means[index] = (means[left] * counts[0] + means[right] * counts[1]) / sum(counts)
    return means


def _nodes(nodes: NDArray[np.void], means: list[float], columns: NDArray[np.int64]) -> Iterator[Node]:
    added: list[dict[int, float]] = [{} for _ in nodes]
    for index, node in enumerate(nodes):
        if node["is_leaf"]:
            yield Node(None, 0.0, 0, 0, False, added[index])
            continue
        feature = int(columns[node["feature_idx"]])
        left, right = int(node["left"]), int(node["right"])
        for child in (left, right):
            added[child] = defaultdict(float, added[index])
            added[child][feature] += means[child] - means[index]
        yield Node(feature, float(node["num_threshold"]), left, right, bool(node["missing_go_to_left"]), {})


def _scaled(added: dict[int, float], slope: float) -> dict[int, float]:
    return {feature: value * slope for feature, value in added.items()}


def trees_graph(trees: Trees) -> bytes:
    """The serialised graph: raw features [n, G] in, probability [n, 1] and contributions [n, G] in log-odds out."""
    value = helper.make_tensor_value_info
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("TreeEnsembleRegressor", ["features"], ["contributions"], domain="ai.onnx.ml", **_attributes(trees)),
            node("ReduceSum", ["contributions", "feature_axis"], ["total"], keepdims=1),
            node("Add", ["total", "base"], ["log_odds"]),
            node("Sigmoid", ["log_odds"], ["probability"]),
        ],
        "payments",
        [value("features", TensorProto.FLOAT, ["n", trees.features])],
        [
            value("probability", TensorProto.FLOAT, ["n", 1]),
            value("contributions", TensorProto.FLOAT, ["n", trees.features]),
        ],
        [
            numpy_helper.from_array(np.array(trees.base, np.float32), "base"),
            numpy_helper.from_array(np.array([1]), "feature_axis"),
        ],
    )
    return serialised(graph, helper.make_opsetid("ai.onnx.ml", _ML_OPSET))


def _attributes(trees: Trees) -> dict[str, object]:
    nodes = [(tree, index, node) for tree, nodes in enumerate(trees.trees) for index, node in enumerate(nodes)]
    leaves = [
        (tree, index, feature, value)
        for tree, index, node in nodes
        if node.feature is None
        for feature, value in (node.added or {0: 0.0}).items()
    ]
    return {
        "n_targets": trees.features,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "nodes_treeids": [tree for tree, _, _ in nodes],
        "nodes_nodeids": [index for _, index, _ in nodes],
        "nodes_featureids": [node.feature or 0 for _, _, node in nodes],
        "nodes_modes": ["LEAF" if node.feature is None else "BRANCH_LEQ" for _, _, node in nodes],
        "nodes_values": [_at_most(node.threshold) for _, _, node in nodes],
        "nodes_truenodeids": [node.left for _, _, node in nodes],
        "nodes_falsenodeids": [node.right for _, _, node in nodes],
        "nodes_missing_value_tracks_true": [int(node.missing_left) for _, _, node in nodes],
        "target_treeids": [tree for tree, _, _, _ in leaves],
        "target_nodeids": [index for _, index, _, _ in leaves],
        "target_ids": [feature for _, _, feature, _ in leaves],
        "target_weights": [value for _, _, _, value in leaves],
    }


def _at_most(threshold: float) -> float:
    """The largest float32 that is not above ``threshold``: it parts float32 values as the threshold does."""
    nearest = np.float32(threshold)
    return float(nearest if nearest <= threshold else np.nextafter(nearest, np.float32(-np.inf)))
