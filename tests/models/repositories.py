"""Model repositories for tests: versions made of those that are committed."""

import hashlib
import shutil
from pathlib import Path

import msgspec

from app.models.manifest import MANIFEST_FILE, MODEL_FILE, read_manifest, write_manifest

COMMITTED = Path(__file__).resolve().parent.parent.parent / "onnx"


def committed(repository: Path) -> Path:
    """A repository with version 1 of every model that is committed, for tests to add to."""
    for name in ("intent", "risk", "text"):
        newest = max((path for path in (COMMITTED / name).iterdir() if path.is_dir()), key=lambda path: int(path.name))
        add_version(repository, name, "1", source=newest)
    return repository


def add_version(repository: Path, name: str, version: str, source: Path | None = None, **changes: object) -> Path:
    """Another version of a model, by default a copy of version 1, with some of its manifest changed; its folder."""
    folder = repository / name / version
    shutil.copytree(source or repository / name / "1", folder)
    manifest = read_manifest(folder / MANIFEST_FILE)
    write_manifest(folder / MANIFEST_FILE, msgspec.structs.replace(manifest, version=version, **changes))
    return folder


def replace_graph(folder: Path, graph: bytes) -> None:
    """Another graph in a version's folder, with the digest to match."""
    (folder / MODEL_FILE).write_bytes(graph)
    manifest = read_manifest(folder / MANIFEST_FILE)
    digest = hashlib.sha256(graph).hexdigest()
    write_manifest(folder / MANIFEST_FILE, msgspec.structs.replace(manifest, digest=digest))
