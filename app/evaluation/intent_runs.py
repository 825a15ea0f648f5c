"""A request to measure the intent model: which clicks, which model, and what the baselines may know."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.models.manifest import DataFile
from app.models.runtime import IntentModel, load_intent
from app.replay.recording import open_recording
from app.state.columns import Lifetimes
from app.training.choices import choices
from app.training.click_sets import ClickSet, labelled, read_click_set
from app.training.measuring import Past, evaluated
from app.training.rows import click_rows
from app.training.sources import ESHOP, LEARN, MEASURE, RETAILROCKET, SHOP, TAOBAO, FileSource, Source
from app.training.storing import MEASURED_FILE

_GOES_ON = 0.9  # of a file's clicks that must be later than the set's; some clocks are wrong

SOURCES: dict[str, Source] = {source.name: source for source in (TAOBAO, RETAILROCKET, ESHOP, SHOP)}


@dataclass(frozen=True)
class Wanted:
    """What to measure: a set's last days, or the file ``data`` after what ``history`` tells; None: the set's own days
    if the file goes on after them, and nothing if it does not or if the start is to be ``cold``.

    ``sets`` is the folder of the public data sets, ``version`` None the newest of model ``model``.
    """

    name: str
    data: Path | None
    history: Path | None
    cold: bool
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
        one = read_click_set(source, wanted.sets, lifetimes, _unwatched)
        return _figures(one, _before_measured(wanted, model), Past.of(one), one)
    files = _files_like(source, wanted.data)
    known = _known(files, wanted.sets, lifetimes)
    history = wanted.history or _own_days(wanted, files, wanted.data, known)
    one = _file_set(files, wanted.data, history, lifetimes)
    past = None if known is None else Past.of(one, known)
    return _figures(one, model, past, known) | {"history": history}


def _figures(one: ClickSet, model: IntentModel, past: Past | None, known: ClickSet | None) -> dict[str, object]:
    rows = one.part == MEASURE
    return evaluated(one, rows, model, past).told() | {"choices": choices(one, rows, model, known)}


def _before_measured(wanted: Wanted, model: IntentModel) -> IntentModel:
    """The model as it was before it learned from the days that are to be measured, if it ever did."""
    path = wanted.repository / model.name / model.version / MEASURED_FILE
    if not path.is_file():
        return model
    return IntentModel(path.read_bytes(), model.name, model.version, model.encoder)


def _files_like(source: Source, file: Path) -> FileSource:
    """The source, if it is one of files such as ``file``."""
    if not isinstance(source, FileSource):
        raise UsageProblem(f"the set {source.name} is simulated and has no file; leave --data out")
    if not file.is_file():
        raise UsageProblem(f"there is no {file}; name a file with the columns of {source.file}")
    return source


def _own_days(wanted: Wanted, source: FileSource, file: Path, known: ClickSet | None) -> Path | None:
    """The set's own days as the history of a file that goes on after them; a worker would have seen them."""
    if known is None or wanted.cold or wanted.data is None:
        return None
    later = _times(source, file) > known.rows.ts.max()
    return wanted.sets / source.file if len(later) and later.mean() >= _GOES_ON else None


def _file_set(source: FileSource, file: Path, history: Path | None, lifetimes: Lifetimes) -> ClickSet:
    """The clicks of ``file``, all to be measured; after a ``history`` only those that are later than all of it."""
    if history is not None and not history.is_file():
        raise UsageProblem(f"there is no {history}; name a file with the columns of {source.file}")
    begin = 0 if history is None else _times(source, history).max(initial=0) + 1
    files = [file] if history is None else [history, file]
    rows = click_rows(open_recording(files, source.adapter), lifetimes, _unwatched)
    part = np.where(rows.ts >= begin, MEASURE, -1)
    if not (part == MEASURE).any():
        raise UsageProblem(f"{file} has no clicks later than those of {history}; name an earlier history")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return labelled(source.name, rows, part, DataFile(str(file), digest, source.licence, len(rows.ts)), "measured")


def _times(source: FileSource, file: Path) -> NDArray[np.int64]:
    """Times in ms [n] of a file's events."""
    batches = [np.array(batch.timestamps, np.int64) for batch in open_recording([file], source.adapter)]
    return np.concatenate([np.zeros(0, np.int64), *batches])


def _known(source: FileSource, sets: Path, lifetimes: Lifetimes) -> ClickSet | None:
    """The set's own days, all to be learned from, if they are at hand."""
    if not (sets / source.file).is_file():
        return None
    known = read_click_set(source, sets, lifetimes, _unwatched)
    return replace(known, part=np.full_like(known.part, LEARN))


def _unwatched(count: int) -> None:
    """Progress that nobody watches."""
