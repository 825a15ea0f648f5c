"""A request for smaller and faster variants: which model, on what data, and what becomes of the best."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app.cli.errors import UsageProblem
from app.evaluation.intent_runs import SOURCES
from app.evaluation.text_shopper import read_shopper
from app.features.clicks import CLICK_FEATURES
from app.models.golden import golden_of
from app.models.manifest import MANIFEST_FILE, Golden, Manifest, read_manifest
from app.models.repository import StoredModel, read_model, versions
from app.models.session import session_of
from app.optimise.clicks import Clicks
from app.optimise.comparing import Measured, Outcome, best, measured
from app.optimise.shown import put_into, section
from app.optimise.subject import Recipe, Subject
from app.optimise.texts import Texts
from app.state.columns import Lifetimes
from app.text.ngrams import FEATURES
from app.training.click_sets import read_click_set
from app.training.progress import Reporter, bars
from app.training.storing import CURVES_FILE, MEASURED_FILE, REPORT_FILE, Trained, store
from app.training.text import SEED
from app.training.text_sets import written_and_made

ORIGINAL: Final = "original"
_MADE_OF: Final = "made of"
_TEXTS_MADE: Final = 2_000
_TEXTS: Final = 4_000


def asked(
    repository: Path,
    name: str,
    version: str | None,
    sets: Sequence[str],
    data: Path,
    lifetimes: Lifetimes,
    keep: bool,
    created: str,
) -> Outcome:
    """What `optimised` finds for a version of model ``name``; see `subject_of` for the data."""
    stored = stored_model(repository, name, version)
    with bars() as reporter:
        subject = subject_of(stored.manifest.kind, sets, data, lifetimes, reporter)
        return optimised(repository, stored, subject, keep, created, reporter)


def subject_of(kind: str, names: Sequence[str], data: Path, lifetimes: Lifetimes, reporter: Reporter) -> Subject:
    """What variants of a kind of model are made with and measured on.

    Args:
        kind: of the model.
        names: sets of clicks; not asked of texts.
        data: folder of the public data sets.
        lifetimes: of sessions and histories, as a worker has them.
        reporter: is told how far it got.

    Raises:
        UsageProblem: a set is not there, or the kind has nothing to make smaller.
    """
    if kind == "risk":
        raise UsageProblem(
            "a risk model is one addition for each feature: there are no products to make smaller; name intent or text"
        )
    if kind == "text":
        texts, _ = written_and_made(SEED, _TEXTS_MADE)
        return Texts(texts[:: max(1, len(texts) // _TEXTS)], read_shopper(None))
    return Clicks([read_click_set(SOURCES[name], data, lifetimes, reporter.stage(f"replay {name}")) for name in names])


def stored_model(repository: Path, name: str, version: str | None) -> StoredModel:
    """The model that variants are made of, the newest that is no variant itself if None.

    Raises:
        UsageProblem: it is not there or damaged, or is a variant itself.
    """
    version = version or _newest_original(repository, name)
    manifest = _manifest(repository, name, version)
    if made_of := manifest.split.get(_MADE_OF):
        raise UsageProblem(f"{name}/{version} is a variant itself, made of {made_of}; name the version it was made of")
    kind = manifest.kind
    features = FEATURES if kind == "text" else [feature.name for feature in CLICK_FEATURES]
    return read_model(repository, kind, name, version, features)


def _newest_original(repository: Path, name: str) -> str:
    for version in map(str, reversed(versions(repository, name))):
        if _MADE_OF not in _manifest(repository, name, version).split:
            return version
    raise UsageProblem(
        f"there is no model {name} in {repository} that is no variant itself; name a folder with --model-repository"
    )


def _manifest(repository: Path, name: str, version: str) -> Manifest:
    return read_manifest(repository / name / version / MANIFEST_FILE)


def optimised(
    repository: Path, stored: StoredModel, subject: Subject, keep: bool, created: str, reporter: Reporter
) -> Outcome:
    """Make and measure the variants, write the table into the model's report, and store the best if it is to be kept.

    A model that learned from the measured days too is measured, and so are its variants, as it was before that.
    """
    recipes = subject.recipes()
    basis = _before_measured(stored)
    graphs = {ORIGINAL: basis, **_made(recipes, basis, reporter)}
    advance = reporter.stage("measure", len(graphs))
    figures = {}
    for name, graph in graphs.items():
        figures[name] = subject.figures(graph)
        advance(1)
    hows = {ORIGINAL: "as it was trained", **{name: recipe.how for name, recipe in recipes.items()}}
    variants = measured(stored.manifest, graphs, hows, figures)
    chosen = best(variants)
    part = section(variants, chosen)
    put_into(stored.path.parent / REPORT_FILE, part)
    if not keep or chosen is variants[0]:
        return Outcome(variants, chosen, None)
    version = _keep(repository, stored, recipes[chosen.name], variants[0], chosen, subject, created)
    put_into(repository / stored.manifest.name / version / REPORT_FILE, part)
    return Outcome(variants, chosen, version)


def _made(recipes: Mapping[str, Recipe], graph: bytes, reporter: Reporter) -> dict[str, bytes]:
    advance = reporter.stage("make variants", len(recipes))
    made = {}
    for name, recipe in recipes.items():
        made[name] = recipe.make(graph)
        advance(1)
    return made


def _before_measured(stored: StoredModel) -> bytes:
    path = stored.path.parent / MEASURED_FILE
    return path.read_bytes() if path.is_file() else stored.graph


def _keep(
    repository: Path,
    stored: StoredModel,
    recipe: Recipe,
    original: Measured,
    chosen: Measured,
    subject: Subject,
    created: str,
) -> str:
    """Store the variant of ``stored`` as its newest version, and return that."""
    manifest, graph = stored.manifest, recipe.make(stored.graph)
    version = str(versions(repository, manifest.name)[-1] + 1)
    digest = hashlib.sha256(graph).hexdigest()
    kept = msgspec.structs.replace(
        manifest,
        version=version,
        created=created,
        digest=digest,
        encoder=manifest.encoder if recipe.continues else digest[:16],
        split=manifest.split | {_MADE_OF: f"{manifest.name}/{manifest.version}: {recipe.how}"},
        metrics={
            name: {"model": chosen.figures[name], "original": original.figures[name], **_beside(manifest, name)}
            for name in chosen.figures
        },
        golden=None if manifest.golden is None else _golden(graph, manifest, manifest.golden),
    )
    basis = recipe.make(_before_measured(stored))
    files = {CURVES_FILE: subject.curves(basis).encode()}
    if (stored.path.parent / MEASURED_FILE).is_file():
        files[MEASURED_FILE] = basis
    store(repository, Trained(graph, kept, files))
    return version


def _beside(manifest: Manifest, name: str) -> dict[str, dict[str, float]]:
    """What the original was measured beside: the prior and plain learners, which know nothing of the variant."""
    return {who: figures for who, figures in manifest.metrics.get(name, {}).items() if not who.startswith("model")}


def _golden(graph: bytes, manifest: Manifest, golden: Golden) -> Golden:
    """The golden batch of a variant: the original's inputs."""
    dtypes = {tensor.name: tensor.dtype for tensor in manifest.inputs}
    inputs = {name: np.array(rows, dtypes[name]) for name, rows in golden.inputs.items()}
    return golden_of(session_of(graph), inputs, list(golden.outputs))
