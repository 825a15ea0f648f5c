"""What `manifest.json` beside a model says: what goes in, what comes out, what it was made from and how good it is."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from app.cli.errors import UsageProblem

Kind = Literal["intent", "risk", "text"]
Figures = dict[str, dict[str, dict[str, float]]]
"""Data set, then model or baseline, then metric."""

MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"


class Tensor(Struct, frozen=True, forbid_unknown_fields=True):
    """An input or output of the graph. `n` in a shape is the number of rows."""

    name: str
    dtype: str
    shape: list[str | int]
    unit: str


class DataFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file, or a seeded simulation, that the model was trained on."""

    file: str
    sha256: Annotated[str, Meta(description="Of the file; of the generated events for a simulation.")]
    licence: str
    rows: int


class ScoreMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """The probabilities at which the risk score reaches the bands of the contract: 65 and 75."""

    p_elevated: float
    p_highest: float


class Golden(Struct, frozen=True, forbid_unknown_fields=True):
    """Inputs [n, ...] by name, and the outputs that the model gave for them: see `app.models.golden`."""

    inputs: dict[str, list[Any]]
    outputs: dict[str, list[Any]]


class Bins(Struct, frozen=True, forbid_unknown_fields=True):
    """How the values of one column were distributed: a bin ends with each of the rising `edges`, which it includes, and
    a last one has all above; `shares` of the rows, one for each bin."""

    name: str
    edges: list[float]
    shares: list[float]


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """What the model learned from, to be compared with what it is given: see `app.drift.distribution`."""

    rows: int
    inputs: list[Bins]
    score: Bins


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The card of one version of a model, for programs."""

    name: str
    version: str
    kind: Kind
    created: Annotated[str, Meta(description="ISO 8601, UTC.")]
    digest: Annotated[str, Meta(description="SHA-256 of model.onnx.")]
    opset: int
    inputs: list[Tensor]
    outputs: list[Tensor]
    features: Annotated[list[str], Meta(description="Columns of the input `features`, in order.")]
    data: list[DataFile]
    split: Annotated[dict[str, str], Meta(description="Which time of each data set trained, chose and measured.")]
    metrics: Figures
    calibration: dict[str, float]
    hidden_units: int | None = None
    encoder: Annotated[
        str | None, Meta(description="Same where hidden states may be carried over from another version.")
    ] = None
    score_mapping: ScoreMapping | None = None
    thresholds: Annotated[
        dict[str, float], Meta(description="Probabilities from which on it pays to expect something: the best F1.")
    ] = {}
    golden: Golden | None = None
    reference: Reference | None = None


def read_manifest(path: Path) -> Manifest:
    """The manifest in ``path``.

    Raises:
        UsageProblem: it is missing, not readable or not a manifest.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise UsageProblem(f"cannot read {path}: {error.strerror}; restore it or train the model again") from error
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{path} is damaged ({error}); restore it or train the model again") from error


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write ``manifest`` as indented JSON; its golden batch and its reference, all numbers, stand in a line each."""
    brief = msgspec.structs.replace(manifest, golden=None, reference=None)
    text = msgspec.json.format(msgspec.json.encode(brief), indent=2)
    for name, value in (("golden", manifest.golden), ("reference", manifest.reference)):
        told = msgspec.json.format(msgspec.json.encode(value), indent=0)
        text = text.replace(f'"{name}": null'.encode(), f'"{name}": '.encode() + told)
    path.write_bytes(text + b"\n")
