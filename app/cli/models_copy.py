"""``sluice models copy``: a version as one of another model, which workers may then run."""

from pathlib import Path
from shutil import copytree, ignore_patterns

import click
import msgspec

from app.cli.errors import UsageProblem
from app.cli.options import json_option, model_named, open_settings, setting_option
from app.cli.output import report
from app.models.manifest import MANIFEST_FILE, read_manifest, write_manifest
from app.models.repository import read_model, versions


@click.command()
@click.argument("model", metavar="NAME/VERSION")
@click.argument("other", metavar="OTHER")
@setting_option("model_repository", "DIR")
@json_option
def copy(model: str, other: str, model_repository: str | None, as_json: bool) -> None:
    """Store NAME/VERSION as the newest version of OTHER, a model of the same kind.

    A worker runs the versions of one name. As one of them, what was trained under another name can be put in shadow, be
    promoted and be rolled back like the rest.
    """
    repository = open_settings(model_repository=model_repository).model_repository
    name, version = model_named(model, "payments")
    if version is None or name == other or not versions(repository, other):
        raise UsageProblem("name a version, and another model that there is: `sluice models copy payments/1 risk`")
    folder = copied(repository, name, version, other)
    report({"model": f"{other}/{folder.name}", "folder": folder}, as_json)


def copied(repository: Path, name: str, version: str, other: str) -> Path:
    """The folder of the copy. The manifest comes last: without it, no model.

    Raises:
        UsageProblem: there is no such version, it is damaged, or of another kind than those of ``other``.
    """
    newest = versions(repository, other)[-1]
    kind = read_manifest(repository / other / str(newest) / MANIFEST_FILE).kind
    stored = read_model(repository, kind, name, version, None)
    folder = repository / other / str(newest + 1)
    copytree(stored.path.parent, folder, ignore=ignore_patterns(MANIFEST_FILE))
    for page in folder.glob("*.md"):
        told = page.read_text(encoding="utf-8").replace(f"{name}, version {version}", f"{other}, version {folder.name}")
        page.write_text(told, encoding="utf-8")
    write_manifest(folder / MANIFEST_FILE, msgspec.structs.replace(stored.manifest, name=other, version=folder.name))
    return folder
