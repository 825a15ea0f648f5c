"""The click model by group: new and returning visitors everywhere, countries where a set has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from app.cards.groups import Flags, GroupFigure, Groups, Question, group_figures
from app.features.clicks import CLICK_FEATURES
from app.models.runtime import IntentScorer
from app.state.columns import Lifetimes
from app.training.click_sets import ClickSet, labelled
from app.training.rows import Progress, joined_clicks, replayed
from app.training.sources import ESHOP, MEASURE, RETAILROCKET, SHOP, TAOBAO, FileSource, Source

SETS: Final[tuple[Source, ...]] = (TAOBAO, RETAILROCKET, ESHOP, SHOP)

_SESSIONS: Final = [feature.name for feature in CLICK_FEATURES].index("user_sessions")
_COUNTRIES: Final = {"29": "Poland", "9": "Czech Republic", "34": "Slovakia", "24": "Lithuania"}
_NO_COUNTRY: Final = {"12", "43", "44", "45", "46", "47"}
"""Codes of `description.txt` beside the set: unidentified, and addresses that name no country."""


def click_groups(
    source: Source, data: Path, lifetimes: Lifetimes, model: IntentScorer, done: Progress
) -> list[GroupFigure]:
    """The figures of one set's measured days; none where its file is not in ``data``."""
    if isinstance(source, FileSource) and not (data / source.file).is_file():
        return []
    parts = [clicks for effects in replayed(source.open(data), lifetimes, done) for clicks in effects.clicks]
    names = list(dict.fromkeys(user for part in parts for user in part.users))
    rows = joined_clicks(parts)
    described = source.described(data, len(rows.ts))
    one = labelled(source.name, rows, source.split.parts(rows.started_at), described, source.split.described())
    measured = one.part == MEASURE
    found: list[GroupFigure] = []
    for question in _questions(one, model, measured):
        found += group_figures(question, "history", _by_history(one, measured))
        if source is ESHOP:
            found += list(group_figures(question, "country", _by_country(one, names, measured, data)))[1:]
    return found


def _questions(one: ClickSet, model: IntentScorer, rows: Flags) -> Iterator[Question]:
    scores = one.scored(model)
    probabilities, purchase = scores[0][rows], scores[1][rows]
    user = one.rows.user[rows]
    bought = one.labels.purchase[rows]
    if bought.any():
        yield Question(one.name, "purchase later in the session", bought, purchase, user)
    right = probabilities.argmax(axis=1) == one.labels.intent[rows]
    yield Question(one.name, "intent", right, None, user)


def _by_history(one: ClickSet, rows: Flags) -> Groups:
    sessions = one.rows.features[rows, _SESSIONS]
    return {
        "first session seen": sessions <= 1,
        "2 to 5 sessions": (sessions > 1) & (sessions <= 5),
        "more than 5 sessions": sessions > 5,
    }


def _by_country(one: ClickSet, names: list[str], rows: Flags, data: Path) -> Groups:
    table = pl.read_parquet(data / ESHOP.file, columns=["session_id", "country"]).unique("session_id")
    sessions, countries = table.select(pl.col("session_id", "country").cast(pl.String))
    country = dict(zip(sessions.to_list(), countries.to_list(), strict=True))
    code = np.array([country[name] for name in names])[one.rows.user[rows]]
    known = {name: code == number for number, name in _COUNTRIES.items()}
    nowhere = np.isin(code, sorted(_NO_COUNTRY))
    return known | {"other countries": ~(np.isin(code, list(_COUNTRIES)) | nowhere), "not known": nowhere}
