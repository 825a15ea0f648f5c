"""The model repository: `<name>/<version>/model.onnx` with its manifest, checked before anything runs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli.errors import UsageProblem
from app.models.manifest import MANIFEST_FILE, MODEL_FILE, Kind, Manifest, read_manifest


@dataclass(frozen=True)
class StoredModel:
    """A model whose bytes and features are what its manifest says."""

    path: Path
    manifest: Manifest
    graph: bytes


def versions(repository: Path, name: str) -> list[int]:
    """Versions of model ``name``, oldest first: its folders that are whole numbers and hold a manifest."""
    folder = repository / name
    if not folder.is_dir():
        return []
    return sorted(
        int(path.name) for path in folder.iterdir() if path.name.isdecimal() and (path / MANIFEST_FILE).is_file()
    )


def read_model(
    repository: Path, kind: Kind, name: str, version: str | None, features: Sequence[str] | None
) -> StoredModel:
    """Version ``version`` of model ``name``, the newest if None.

    Args:
        repository: the folder that holds a folder per model.
        kind: what the model must be.
        name: its folder.
        version: its folder's folder.
        features: names of the columns that the running code computes, in order; None: whichever they are.

    Raises:
        UsageProblem: there is no such model, it is damaged, or it was made for other features.
    """
    folder = repository / name / (version or _newest(repository, kind, name))
    manifest = read_manifest(folder / MANIFEST_FILE)
    if manifest.kind != kind:
        raise UsageProblem(f"{folder} is a model of kind {manifest.kind}, not {kind}; name another one")
    path = folder / MODEL_FILE
    graph = _read_graph(path, manifest)
    if features is not None:
        _check_features(path, manifest, features)
    return StoredModel(path, manifest, graph)


def _newest(repository: Path, kind: Kind, name: str) -> str:
    found = versions(repository, name)
    if not found:
        raise UsageProblem(
            f"there is no model in {repository / name}; run `sluice train {kind}`, "
            "or name the folder of the models with --model-repository"
        )
    return str(found[-1])


def _read_graph(path: Path, manifest: Manifest) -> bytes:
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise UsageProblem(
            f"cannot read {path}: {error.strerror}; restore it, or run `sluice train {manifest.kind}`"
        ) from error
    found = hashlib.sha256(graph).hexdigest()
    if found != manifest.digest:
        raise UsageProblem(
            f"{path} is damaged: its SHA-256 starts with {found[:12]} and the manifest says {manifest.digest[:12]}; "
            f"restore it, or run `sluice train {manifest.kind}`"
        )
    return graph


def _check_features(path: Path, manifest: Manifest, features: Sequence[str]) -> None:
    if manifest.features == list(features):
        return
    differing = next(
        (
            f"column {i} is {a}, here {b}"
            for i, (a, b) in enumerate(zip(manifest.features, features, strict=False))
            if a != b
        ),
        f"it has {len(manifest.features)} columns, here there are {len(features)}",
    )
    raise UsageProblem(
        f"{path} was trained on other features than this version computes ({differing}); "
        f"run `sluice train {manifest.kind}`, or name a version that fits"
    )
