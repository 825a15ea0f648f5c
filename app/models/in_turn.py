"""A recurrent model that takes several clicks of the same users in one call.

The model's whole graph becomes the body of ONNX's ``Scan`` (operators, opset 11), which feeds each turn the state that
the turn before left: the same operations on the same numbers, without the cost of a call for each. The file is taken
apart and put together as protocol buffers (onnx.proto3), since a worker does not have the package that writes models.
"""

from typing import Final

from app.cli.errors import UsageProblem
from app.models.protobuf import field, fields, whole

STATE: Final = ("hidden", "hidden_after")
TURN_INPUT: Final = "features"
TURN_OUTPUTS: Final = ("probabilities", "purchase")
OPTIONAL_OUTPUT: Final = "outlook"
"""Names in a click model's graph; in the graph made of it they begin with ``PREFIX``."""

PREFIX: Final = "all_"

# Numbers of fields in onnx.proto3.
_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_NAME, _GRAPH_INPUT, _GRAPH_OUTPUT = 7, 1, 2, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP_TYPE, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TYPE = 1, 3, 6, 20
_VALUE_NAME, _VALUE_TYPE, _TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE, _SHAPE_SIZE, _SIZE_NAME = 1, 2, 1, 1, 2, 1, 2
_INT, _GRAPH, _FLOAT = 2, 5, 1  # types of attributes, and of elements


def in_turn(model: bytes) -> bytes:
    """The model that takes ``all_features`` [t, n, F] and ``all_hidden`` [n, H], and gives ``all_hidden_after``
    [n, H] after all turns, ``all_probabilities`` [t, n, 7], ``all_purchase`` [t, n, 1] and, if the model has that
    output, ``all_outlook`` [t, n, 26].

    Args:
        model: of one turn, a serialised ``ModelProto``.

    Raises:
        NotProtobuf: it is none.
        UsageProblem: it does not have a click model's inputs and outputs.
    """
    parts = list(fields(model))
    graph = b"".join(content for number, content, _ in parts if number == _MODEL_GRAPH)
    before, after = STATE
    outputs = turn_outputs(model)
    outer = b"".join(
        (
            field(_GRAPH_NODE, _scan(_body(graph, outputs), outputs)),
            field(_GRAPH_NAME, b"in_turn"),
            field(_GRAPH_INPUT, _tensor(PREFIX + TURN_INPUT, "turns", "users", "features")),
            field(_GRAPH_INPUT, _tensor(PREFIX + before, "users", "units")),
            field(_GRAPH_OUTPUT, _tensor(PREFIX + after, "users", "units")),
            *(field(_GRAPH_OUTPUT, _tensor(PREFIX + name, "turns", "users", name)) for name in outputs),
        )
    )
    return b"".join(raw for number, _, raw in parts if number != _MODEL_GRAPH) + field(_MODEL_GRAPH, outer)


def turn_outputs(model: bytes) -> tuple[str, ...]:
    """What a click model gives at each turn besides the state.

    Args:
        model: a serialised ``ModelProto``.
    """
    graph = b"".join(content for number, content, _ in fields(model) if number == _MODEL_GRAPH)
    more = OPTIONAL_OUTPUT in _named(list(fields(graph)), _GRAPH_OUTPUT)
    return (*TURN_OUTPUTS, OPTIONAL_OUTPUT) if more else TURN_OUTPUTS


def _body(graph: bytes, outputs: tuple[str, ...]) -> bytes:
    """``graph`` with its inputs and outputs in the order that ``Scan`` wants: the state first."""
    parts = list(fields(graph))
    rest = [raw for number, _, raw in parts if number not in (_GRAPH_INPUT, _GRAPH_OUTPUT)]
    before, after = STATE
    return b"".join(
        (
            *rest,
            *_in_order(parts, _GRAPH_INPUT, (before, TURN_INPUT)),
            *_in_order(parts, _GRAPH_OUTPUT, (after, *outputs)),
        )
    )


def _in_order(parts: list[tuple[int, bytes, bytes]], number: int, names: tuple[str, ...]) -> list[bytes]:
    found = _named(parts, number)
    if found.keys() != set(names):
        raise UsageProblem(
            f"the graph of a click model has {sorted(names)}, and this one has {sorted(found)} instead; "
            "run `sluice train intent`"
        )
    return [found[name] for name in names]


def _named(parts: list[tuple[int, bytes, bytes]], number: int) -> dict[str, bytes]:
    """The inputs or outputs among the ``parts`` of a graph, by name."""
    return {
        name.decode(): raw
        for kind, content, raw in parts
        if kind == number
        for inner, name, _ in fields(content)
        if inner == _VALUE_NAME
    }


def _scan(body: bytes, outputs: tuple[str, ...]) -> bytes:
    before, after = STATE
    loop = field(_ATTRIBUTE_NAME, b"body") + field(_ATTRIBUTE_GRAPH, body) + whole(_ATTRIBUTE_TYPE, _GRAPH)
    count = field(_ATTRIBUTE_NAME, b"num_scan_inputs") + whole(_ATTRIBUTE_INT, 1) + whole(_ATTRIBUTE_TYPE, _INT)
    return b"".join(
        (
            *(field(_NODE_INPUT, (PREFIX + name).encode()) for name in (before, TURN_INPUT)),
            *(field(_NODE_OUTPUT, (PREFIX + name).encode()) for name in (after, *outputs)),
            field(_NODE_OP_TYPE, b"Scan"),
            field(_NODE_ATTRIBUTE, loop),
            field(_NODE_ATTRIBUTE, count),
        )
    )


def _tensor(name: str, *sizes: str) -> bytes:
    """A tensor of float32 with these names of sizes."""
    shape = b"".join(field(_SHAPE_SIZE, field(_SIZE_NAME, size.encode())) for size in sizes)
    type_ = field(_TYPE_TENSOR, whole(_TENSOR_ELEMENT, _FLOAT) + field(_TENSOR_SHAPE, shape))
    return field(_VALUE_NAME, name.encode()) + field(_VALUE_TYPE, type_)
