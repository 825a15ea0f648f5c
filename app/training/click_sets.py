"""Data sets of clicks, ready to train and measure the intent model on."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.drift.distribution import reference_of
from app.features.clicks import CLICK_FEATURES
from app.features.scan import group_index, group_starts, ranks
from app.models.manifest import DataFile, Reference
from app.models.runtime import IntentScorer
from app.models.waves import Scores, score_waves
from app.state.columns import Lifetimes
from app.state.rows import HIDDEN_UNITS
from app.training.labels import ClickLabels, click_labels
from app.training.outlook import Outlook, outlook_of
from app.training.rows import ClickRows, Progress, click_rows
from app.training.sources import LEARN, Source

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_USER_CLICKS = [feature.name for feature in CLICK_FEATURES].index("user_clicks")


@dataclass(frozen=True, eq=False)
class ClickSet:
    """A data set: its rows and labels, the ``part`` of each click [n] (a session belongs to the part it starts in), and
    the number of the ``history`` [n] along which the recurrent state goes on."""

    name: str
    rows: ClickRows
    labels: ClickLabels
    outlook: Outlook
    part: Ints
    history: Ints
    described: DataFile
    split: str

    def scored(self, model: IntentScorer) -> Scores:
        """What ``model`` says of the clicks, as a worker would score them."""
        return _scored(self, cast(Hashable, model))


@lru_cache(maxsize=8)
def _scored(one: ClickSet, model: IntentScorer) -> Scores:
    """Kept for a while: figures, curves, calibration and thresholds all ask for the same."""
    starts = group_starts(one.history)
    units = getattr(model, "units", HIDDEN_UNITS)  # that of a worker's rows, where a scorer has no width of its own
    hidden = np.zeros((len(starts), units), np.float32)
    return score_waves(model, one.rows.features, hidden, one.history, ranks(starts, one.history))


def read_click_set(source: Source, data: Path, lifetimes: Lifetimes, done: Progress) -> ClickSet:
    """Replay ``source`` through the step and label what came of it.

    Raises:
        UsageProblem: its file is not in ``data``.
    """
    rows = click_rows(source.open(data), lifetimes, done)
    described = source.described(data, len(rows.ts))
    return labelled(source.name, rows, source.split.parts(rows.started_at), described, source.split.described())


def labelled(name: str, rows: ClickRows, part: Ints, described: DataFile, split: str) -> ClickSet:
    """A data set of ``rows``, each in its ``part`` [n]."""
    return ClickSet(
        name=name,
        rows=rows,
        labels=click_labels(rows.session, rows.type, rows.features),
        outlook=outlook_of(rows),
        part=part,
        history=histories(rows),
        described=described,
        split=split,
    )


def learned_reference(sets: Sequence[ClickSet], model: IntentScorer) -> Reference:
    """How the first parts of all sets, counting alike, and what ``model`` says of them are distributed."""
    weight = shares(sets, [LEARN])
    learned = weight > 0
    features = np.concatenate([one.rows.features for one in sets])[learned]
    purchase = np.concatenate([one.scored(model)[1] for one in sets])[learned]
    return reference_of([feature.name for feature in CLICK_FEATURES], features, purchase, weight[learned])


def histories(rows: ClickRows) -> Ints:
    """Numbers from 0 [n] of the histories: a user's begins anew after the state's time to live."""
    begins = (np.diff(rows.user, prepend=-1) != 0) | (rows.features[:, _USER_CLICKS] == 1)
    return group_index(begins)


def shares(sets: Sequence[ClickSet], parts: Sequence[int]) -> Floats:
    """How much each click of all sets counts [N]: sets alike, clicks outside ``parts`` not at all; 1 on average."""
    inside = [np.isin(one.part, parts) for one in sets]
    weights = np.concatenate([mine / max(1, mine.sum()) for mine in inside])
    return np.asarray(weights * len(weights) / weights.sum(), np.float32)
