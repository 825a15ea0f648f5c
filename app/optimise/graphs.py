"""ONNX graphs taken apart by the names of their constants and values, and put together again."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, load_model_from_string, numpy_helper

from app.models.session import Session, session_of

Constants = dict[str, NDArray[np.generic]]


def constants_of(model: ModelProto) -> Constants:
    """The model's constants by name."""
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def nodes_of(model: ModelProto) -> list[NodeProto]:
    """Copies of the model's nodes, in order, to be changed freely."""
    copy = ModelProto()
    copy.CopyFrom(model)
    return list(copy.graph.node)


def parsed(graph: bytes) -> ModelProto:
    """The model of a file's bytes."""
    return load_model_from_string(graph)


def rebuilt(model: ModelProto, nodes: Sequence[NodeProto], constants: Mapping[str, NDArray[np.generic]]) -> bytes:
    """The bytes of ``model`` with these nodes and constants instead of its own, checked."""
    made = ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.initializer[:]
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    checker.check_model(made)
    return bytes(made.SerializeToString(deterministic=True))


def rewired(nodes: Sequence[NodeProto], old: str, new: str) -> None:
    """Have every node that reads ``old`` read ``new``."""
    for node in nodes:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def probe(graph: bytes, values: Sequence[str]) -> Session:
    """A session that also gives the named inner ``values``, all of float32."""
    model = parsed(graph)
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in values if name not in known
    )
    return session_of(bytes(model.SerializeToString()))


def giver(nodes: Sequence[NodeProto], value: str) -> NodeProto:
    """The node that gives ``value``."""
    return next(node for node in nodes if value in node.output)
