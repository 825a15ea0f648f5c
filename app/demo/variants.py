"""Versions of the click model to try the registry with: better, worse, and broken ones, made of the newest."""

import hashlib
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.models.golden import golden_of, sample_inputs
from app.models.manifest import MANIFEST_FILE, MODEL_FILE, read_manifest, write_manifest
from app.models.protobuf import field, fields, whole
from app.models.repository import versions
from app.models.session import session_of

_NAME = "intent"
_OUTPUT = b"purchase"
_BEFORE = b"purchase_before"

# Numbers of fields in onnx.proto3.
_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_INITIALIZER = 7, 1, 5
_NODE_OUTPUT = 2
_NODE_INPUT, _NODE_OP_TYPE = 1, 4
_TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW, _FLOAT = 2, 8, 9, 1


@dataclass(frozen=True, slots=True)
class Variant:
    """A version: what is done to the newest, in words and in its folder."""

    version: str
    what: str
    make: Callable[[Path], None]


def _node(operator: bytes, inputs: Sequence[bytes], output: bytes) -> bytes:
    names = b"".join(field(_NODE_INPUT, name) for name in inputs)
    return field(_GRAPH_NODE, names + field(_NODE_OUTPUT, output) + field(_NODE_OP_TYPE, operator))


def _constant(name: bytes, value: float) -> bytes:
    raw = struct.pack("<f", value)
    tensor = whole(_TENSOR_TYPE, _FLOAT) + field(_TENSOR_NAME, name) + field(_TENSOR_RAW, raw)
    return field(_GRAPH_INITIALIZER, tensor)


def _renamed(node: bytes) -> bytes:
    """A node that gives ``purchase_before`` where it gave ``purchase``."""
    return b"".join(
        field(number, _BEFORE) if number == _NODE_OUTPUT and content == _OUTPUT else raw
        for number, content, raw in fields(node)
    )


def rescored(graph: bytes, *operators: tuple[str, float]) -> bytes:
    """A click model whose purchase probability goes through operators, each with a constant; Sqrt takes none."""
    parts = list(fields(graph))
    inner = b"".join(content for number, content, _ in parts if number == _MODEL_GRAPH)
    made = [
        field(_GRAPH_NODE, _renamed(content)) if number == _GRAPH_NODE else raw
        for number, content, raw in fields(inner)
    ]
    name = _BEFORE
    for place, (operator, value) in enumerate(operators, 1):
        output = _OUTPUT if place == len(operators) else b"purchase_%d" % place
        constant = b"demo_%d" % place
        takes = [name] if operator == "Sqrt" else [name, constant]
        made += [] if operator == "Sqrt" else [_constant(constant, value)]
        made.append(_node(operator.encode(), takes, output))
        name = output
    return b"".join(raw for number, _, raw in parts if number != _MODEL_GRAPH) + field(_MODEL_GRAPH, b"".join(made))


def _rescore(*operators: tuple[str, float]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        graph = rescored((folder / MODEL_FILE).read_bytes(), *operators)
        (folder / MODEL_FILE).write_bytes(graph)
        manifest = read_manifest(folder / MANIFEST_FILE)
        outputs = [tensor.name for tensor in manifest.outputs]
        golden = golden_of(session_of(graph), _finite_rows(graph, sample_inputs(manifest.inputs)), outputs)
        digest = hashlib.sha256(graph).hexdigest()
        write_manifest(folder / MANIFEST_FILE, msgspec.structs.replace(manifest, digest=digest, golden=golden))

    return make


def _finite_rows(graph: bytes, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Those of the rows of ``inputs`` for which the purchase probability is a number."""
    (purchase,) = session_of(graph).run([_OUTPUT.decode()], inputs)
    kept = np.isfinite(purchase[:, 0])
    return {name: values[kept] for name, values in inputs.items()}


def _no_numbers(folder: Path) -> None:
    """Purchase probabilities that are numbers only where they are about as high as that of a row of zeros, by which a
    version warms up."""
    manifest = read_manifest(folder / MANIFEST_FILE)
    zeros = {name: values[:1] * 0 for name, values in sample_inputs(manifest.inputs).items()}
    (purchase,) = session_of((folder / MODEL_FILE).read_bytes()).run([_OUTPUT.decode()], zeros)
    _rescore(("Sub", 0.9 * float(purchase[0, 0])), ("Sqrt", 0.0))(folder)


def _another_encoder(folder: Path) -> None:
    manifest = read_manifest(folder / MANIFEST_FILE)
    write_manifest(folder / MANIFEST_FILE, msgspec.structs.replace(manifest, encoder="demo"))


def _damaged(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes()[:-64])


VARIANTS = (
    Variant("2", "a challenger: its purchase probabilities are a little lower", _rescore(("Pow", 1.05))),
    Variant("3", "another encoder: its recurrent states mean something else", _another_encoder),
    Variant("4", "no number for most clicks, though its golden batch is fine", _no_numbers),
    Variant("5", "scores elsewhere: everybody seems to buy", _rescore(("Pow", 0.1))),
    Variant("6", "a damaged file", _damaged),
)


def demo_repository(models: Path, folder: Path) -> Path:
    """A repository in ``folder``: the newest version of every model of ``models`` as version 1, and the variants."""
    for name in sorted(path.name for path in models.iterdir() if path.is_dir()):
        if found := versions(models, name):
            _copy(models / name / str(found[-1]), folder / name / "1", "1")
    for variant in VARIANTS:
        target = folder / _NAME / variant.version
        _copy(folder / _NAME / "1", target, variant.version)
        variant.make(target)
    return folder


def _copy(source: Path, target: Path, version: str) -> None:
    shutil.copytree(source, target)
    manifest = read_manifest(target / MANIFEST_FILE)
    write_manifest(target / MANIFEST_FILE, msgspec.structs.replace(manifest, version=version))
