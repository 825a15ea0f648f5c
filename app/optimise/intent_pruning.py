"""Click models with fewer hidden units: magnitude pruning by what a unit can move.

A unit counts as how much it varies times the norm of its outward weights; one that is taken out goes on counting with
its mean, inside the biases. The state keeps its width in the row, so that the variant is loaded as any other version:
the graph reads the first units of it and leaves zeros in the rest. Inputs stay: to pick some columns out of a row costs
ONNX Runtime's Gather more than their products do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from app.optimise.graphs import Constants, constants_of, giver, nodes_of, parsed, probe, rebuilt, rewired
from app.optimise.regression import ridge

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Clicks [n] as a model was given them: raw features [n, F], and the states before [n, H]."""

    features: Floats
    hidden: Floats

    def values(self, graph: bytes, names: list[str]) -> list[Floats]:
        """The named inner values of ``graph`` for the clicks."""
        return probe(graph, names).run(names, {"features": self.features, "hidden": self.hidden})


def pruned(graph: bytes, sample: Sample, units: int) -> bytes:
    """The model with only the strongest ``units`` of its state.

    Args:
        graph: a click model's.
        sample: clicks as that model was given them.
        units: to keep, at most those it has.
    """
    model = parsed(graph)
    constants = constants_of(model)
    (after,) = sample.values(graph, ["hidden_after"])
    kept = _strong_units(constants, after, units)
    nodes = nodes_of(model)
    width = after.shape[1]
    small = _without_units(constants, after, kept) | {
        "kept_from": np.array([0]),
        "kept_to": np.array([units]),
        "unit_axis": np.array([1]),
        "unit_room": np.array([0, 0, 0, width - units]),
    }
    rewired(nodes, "hidden", "kept_hidden")
    rewired(nodes, "hidden_after", "kept_after")
    giver(nodes, "hidden_after").output[0] = "kept_after"
    nodes.insert(0, helper.make_node("Slice", ["hidden", "kept_from", "kept_to", "unit_axis"], ["kept_hidden"]))
    nodes.append(helper.make_node("Pad", ["kept_after", "unit_room"], ["hidden_after"]))
    return rebuilt(model, nodes, small)


def refitted(student: bytes, own: Sample, teacher: bytes, given: Sample) -> bytes:
    """A pruned model whose heads are fitted anew to the log-odds of its teacher (Ba & Caruana, arXiv:1312.6184).

    Args:
        student: made by `pruned`.
        own: clicks with the states that the student itself leaves.
        teacher: the model it was made of.
        given: the same clicks with the teacher's states.
    """
    model = parsed(student)
    constants, nodes = constants_of(model), nodes_of(model)
    inputs, after, deep = own.values(student, [giver(nodes, "from_features").input[0], "kept_after", "deep_open"])
    (wanted,) = given.values(teacher, ["heads"])
    weight, bias = ridge(np.hstack([after, deep, inputs]), wanted)
    units, inward = after.shape[1], after.shape[1] + deep.shape[1]
    heads = slice(3 * units, 3 * units + wanted.shape[1])
    fitted = {name: constants[name].copy() for name in ("in_weight", "in_bias", "told_hidden")}
    fitted["in_weight"][:, heads], fitted["in_bias"][heads] = weight[inward:], bias
    fitted["told_hidden"][:, : wanted.shape[1]] = weight[:units]
    return rebuilt(model, nodes, constants | fitted | {"heads_deep": weight[units:inward]})


def _strong_units(constants: Constants, after: Floats, units: int) -> Ints:
    outward = np.hstack([constants[name] for name in ("gates_hidden", "candidate_hidden", "told_hidden")])
    effect = after.std(axis=0) * np.linalg.norm(np.asarray(outward, np.float64), axis=1)
    return np.sort(np.argsort(-effect, kind="stable")[:units])


def _without_units(constants: Constants, after: Floats, kept: Ints) -> Constants:
    width = after.shape[1]
    dropped = np.setdiff1d(np.arange(width), kept)
    mean = after[:, dropped].mean(axis=0)
    numbers = {name: np.asarray(value, np.float32) for name, value in constants.items() if value.dtype == np.float32}
    gates, candidate, told = numbers["gates_hidden"], numbers["candidate_hidden"], numbers["told_hidden"]
    bias = numbers["in_bias"].copy()
    bias[: 2 * width] += mean @ gates[dropped]
    bias[3 * width :] += mean @ told[dropped]
    in_columns = np.concatenate([kept, width + kept, 2 * width + kept, np.arange(3 * width, len(bias))])
    return constants | {
        "in_weight": numbers["in_weight"][:, in_columns],
        "in_bias": bias[in_columns],
        "gates_hidden": gates[np.ix_(kept, np.concatenate([kept, width + kept]))],
        "candidate_hidden": candidate[np.ix_(kept, kept)],
        "candidate_bias": (numbers["candidate_bias"] + mean @ candidate[dropped])[kept],
        "told_hidden": told[kept],
        "in_parts": np.array([2 * len(kept), len(kept), len(bias) - 3 * width]),
        "gate_parts": np.array([len(kept), len(kept)]),
    }
