"""Numbers of a model in 8 bits: only as they are stored, or in the products too."""

import logging
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from app.optimise.graphs import Constants, constants_of, nodes_of, parsed, rebuilt

_LEVELS = 127
_LEAST_NUMBERS = 256  # the factors of a smaller matrix take what the numbers save
_NARROW = 16
_TINY = 1e-12

Floats = NDArray[np.float32]


def stored_in_int8(graph: bytes) -> bytes:
    """The model with every matrix of float32 stored as int8, with a factor for each row and each column.

    ONNX Runtime multiplies them out once, while it loads the file: products stay in float32, and a row's result does
    not depend on the rows beside it.
    """
    model = parsed(graph)
    kept: Constants = {}
    nodes = []
    for name, value in constants_of(model).items():
        if value.dtype != np.float32 or value.ndim != 2 or value.size < _LEAST_NUMBERS:
            kept[name] = value
            continue
        codes, of_row, of_column = quantised(value.astype(np.float32))
        kept |= {f"{name}_codes": codes, f"{name}_of_row": of_row, f"{name}_of_column": of_column}
        nodes.append(helper.make_node("Cast", [f"{name}_codes"], [f"{name}_numbers"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}_numbers", f"{name}_of_row"], [f"{name}_rows"]))
        nodes.append(helper.make_node("Mul", [f"{name}_rows", f"{name}_of_column"], [name]))
    return rebuilt(model, [*nodes, *nodes_of(model)], kept)


def quantised(matrix: Floats) -> tuple[NDArray[np.int8], Floats, Floats]:
    """The nearest int8 [r, c] of a ``matrix`` [r, c], and the factors of its rows [r, 1] and columns [1, c].

    Rows are inputs of very different sizes (their spread is folded into the weights), so columns alone would leave the
    small ones nothing; a narrow table of many rows gets no factors for them, which would be half of it.
    """
    narrow = matrix.shape[1] < _NARROW
    of_row = np.ones((len(matrix), 1)) if narrow else np.abs(matrix).max(axis=1, keepdims=True)
    of_row = np.where(of_row > 0, of_row, 1)[: 1 if narrow else None]
    of_column = np.maximum(np.abs(matrix / of_row).max(axis=0, keepdims=True), _TINY) / _LEVELS
    codes = np.rint(matrix / of_row / of_column).astype(np.int8)
    return codes, of_row.astype(np.float32), of_column.astype(np.float32)


def computed_in_int8(graph: bytes) -> bytes:
    """The model with products of int8 (ONNX Runtime's dynamic quantisation).

    What is multiplied is scaled by the largest number of the whole batch, so a row's result depends on the rows beside
    it.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it advises a preparation that these graphs do not need
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
            source.write_bytes(graph)
            quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)
            return target.read_bytes()
    finally:
        logging.root.setLevel(level)


def table_in_float32(graph: bytes) -> bytes:
    """A text model with its table as the float32 that its int8 stands for."""
    model = parsed(graph)
    constants = constants_of(model)
    constants["table"] = constants["table"].astype(np.float32)
    return rebuilt(model, nodes_of(model), constants)
