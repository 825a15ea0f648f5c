"""A request to measure the intent model: which clicks, which model, and what the baselines may know."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.cli.errors import UsageProblem
from app.models.manifest import DataFile
from app.models.runtime import IntentModel, load_intent
from app.replay.recording import open_recording
from app.state.columns import Lifetimes
from app.training.click_sets import ClickSet, labelled, read_click_set
from app.training.measuring import Past, evaluated
from app.training.rows import click_rows
from app.training.sources import ESHOP, LEARN, MEASURE, RETAILROCKET, SHOP, TAOBAO, FileSource, Source
from app.training.storing import MEASURED_FILE

SOURCES: dict[str, Source] = {source.name: source for source in (TAOBAO, RETAILROCKET, ESHOP, SHOP)}


@dataclass(frozen=True)
class Wanted:
    """What to measure: a set's last days, or all of the file ``data`` after what ``history`` tells.

    ``sets`` is the folder of the public data sets, ``version`` None the newest of model ``model``.
    """

    name: str
    data: Path | None
    history: Path | None
    sets: Path
    repository: Path
    model: str
    version: str | None


def figures_of(wanted: Wanted, lifetimes: Lifetimes) -> dict[str, object]:
    """The figures, see `app.training.measuring.Evaluated.told`.

    Raises:
        UsageProblem: the model, the set or the file is not there, or has no clicks.
    """
    model, source = load_intent(wanted.repository, wanted.model, wanted.version), SOURCES[wanted.name]
    if wanted.data is None:
        model = _before_measured(wanted, model)
        one = read_click_set(source, wanted.sets, lifetimes, _unwatched)
        return evaluated(one, one.part == MEASURE, model, Past.of(one)).told()
    one = _file_set(source, wanted.data, wanted.history, lifetimes)
    known = _known(source, wanted.sets, lifetimes)
    past = None if known is None else Past.of(one, known)
    return evaluated(one, one.part == MEASURE, model, past).told()


def _before_measured(wanted: Wanted, model: IntentModel) -> IntentModel:
    """The model as it was before it learned from the days that are to be measured, if it ever did."""
    path = wanted.repository / model.name / model.version / MEASURED_FILE
    if not path.is_file():
        return model
    return IntentModel(path.read_bytes(), model.name, model.version, model.encoder)


def _file_set(source: Source, file: Path, history: Path | None, lifetimes: Lifetimes) -> ClickSet:
    """The clicks of ``file``, all to be measured, after those of ``history``, none of which are."""
    if not isinstance(source, FileSource):
        raise UsageProblem(f"the set {source.name} is simulated and has no file; leave --data out")
    begin = 0
    for path in (file, history):
        if path is not None and not path.is_file():
            raise UsageProblem(f"there is no {path}; name a file with the columns of {source.file}")
    if history is not None:
        begin = next(iter(open_recording([file], source.adapter))).timestamps[0]
    files = [file] if history is None else [history, file]
    rows = click_rows(open_recording(files, source.adapter), lifetimes, _unwatched)
    part = np.where(rows.ts >= begin, MEASURE, -1)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return labelled(source.name, rows, part, DataFile(str(file), digest, source.licence, len(rows.ts)), "measured")


def _known(source: Source, sets: Path, lifetimes: Lifetimes) -> ClickSet | None:
    """The set's own days, all to be learned from, if they are at hand."""
    if isinstance(source, FileSource) and not (sets / source.file).is_file():
        return None
    known = read_click_set(source, sets, lifetimes, _unwatched)
    return replace(known, part=np.full_like(known.part, LEARN))


def _unwatched(count: int) -> None:
    """Progress that nobody watches."""
