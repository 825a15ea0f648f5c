"""A trained model into the repository, with a report to read beside the manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from app.cards.card import CARD_FILE, card
from app.models.golden import golden_of, sample_inputs
from app.models.manifest import MANIFEST_FILE, MODEL_FILE, DataFile, Manifest, write_manifest
from app.models.session import session_of

REPORT_FILE = "report.md"
CURVES_FILE = "curves.svg"
MEASURED_FILE = "measured.onnx"
"""The same model as it was before it learned from the days that it is measured on."""


@dataclass(frozen=True)
class Trained:
    """A model that is not stored yet, with other ``files`` to lie beside it, by name."""

    graph: bytes
    manifest: Manifest
    files: Mapping[str, bytes] = field(default_factory=dict)


def store(repository: Path, trained: Trained) -> Path:
    """Write the model where its manifest says, and return the folder. The manifest comes last: without it, no model.

    A manifest without a golden batch gets one. The card has no figures by group: see `app.cards.writing`.
    """
    folder = repository / trained.manifest.name / trained.manifest.version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(trained.graph)
    for name, content in trained.files.items():
        (folder / name).write_bytes(content)
    (folder / REPORT_FILE).write_text(_report(trained), encoding="utf-8")
    (folder / CARD_FILE).write_text(card(trained.manifest, []), encoding="utf-8")
    write_manifest(folder / MANIFEST_FILE, with_golden(trained.graph, trained.manifest))
    return folder


def with_golden(graph: bytes, manifest: Manifest) -> Manifest:
    """``manifest`` with a golden batch: its own, or one of sampled inputs, which must all be rows of float32."""
    if manifest.golden is not None:
        return manifest
    outputs = [tensor.name for tensor in manifest.outputs]
    golden = golden_of(session_of(graph), sample_inputs(manifest.inputs), outputs)
    return msgspec.structs.replace(manifest, golden=golden)


def _report(trained: Trained) -> str:
    manifest = trained.manifest
    lines = [f"# Model {manifest.name}, version {manifest.version}", "", f"Made {manifest.created}.", "", "## Data", ""]
    lines += _table(["set", "rows", "licence", "SHA-256"], [_data(file) for file in manifest.data])
    lines += ["", *(f"- {name}: {split}" for name, split in manifest.split.items()), "", "## Figures", ""]
    for name, models in manifest.metrics.items():
        lines += [f"### {name}", "", *_figures(models), ""]
    if MEASURED_FILE in trained.files:
        lines += [f"The figures are those of `{MEASURED_FILE}`, which has not seen the measured days.", ""]
    if CURVES_FILE in trained.files:
        lines += ["## Curves", "", f"![curves]({CURVES_FILE})", ""]
    return "\n".join(lines)


def _data(file: DataFile) -> list[str]:
    return [file.file, f"{file.rows:,}", file.licence, f"`{file.sha256[:16]}…`"]


def _figures(models: dict[str, dict[str, float]]) -> list[str]:
    names = list(dict.fromkeys(name for figures in models.values() for name in figures))
    rows = [[model, *(f"{figures[n]:.4g}" if n in figures else "" for n in names)] for model, figures in models.items()]
    return _table(["", *names], rows)


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
