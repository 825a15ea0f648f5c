"""The order model by group: new and old accounts, and countries where a set has them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from app.cards.groups import Flags, GroupFigure, Groups, Question, group_figures
from app.features.orders import ORDER_FEATURES
from app.models.runtime import Floats, RiskScorer
from app.state.columns import Lifetimes
from app.training.order_sets import read_order_set
from app.training.rows import Progress, order_rows
from app.training.sources import FIRST_ORDERS, MEASURE, ORDER_SHOP, PAYMENTS, FileSource, Source

SETS: Final[tuple[Source, ...]] = (PAYMENTS, ORDER_SHOP)

_START: Final = datetime(2018, 4, 1, tzinfo=UTC)
_RINGS_END: Final = int(datetime(2015, 1, 14, tzinfo=UTC).timestamp() * 1000)
_COLUMN: Final = {feature.name: place for place, feature in enumerate(ORDER_FEATURES)}
_DAY: Final = 86_400
_MOST_COUNTRIES: Final = 5


def order_groups(
    source: Source, data: Path, lifetimes: Lifetimes, model: RiskScorer, done: Progress
) -> list[GroupFigure]:
    """The figures of one set's measured days; none where its file is not in ``data``."""
    if isinstance(source, FileSource) and not (data / source.file).is_file():
        return []
    one = read_order_set(source, data, lifetimes, done, _START, model.inputs.velocities)
    rows = one.part == MEASURE
    if source is PAYMENTS:
        rows &= one.unknown(int(PAYMENTS.split.choose_from.timestamp() * 1000))
    features = one.rows.features[rows]
    user = np.unique(one.rows.users, return_inverse=True)[1][rows]
    scored = model.score(one.rows.given(model.inputs)[rows]).probability
    question = Question(one.name, "fraud", one.fraud[rows], scored, user)
    return list(group_figures(question, "account", _by_account(features)))


def first_order_groups(data: Path, lifetimes: Lifetimes, model: RiskScorer, done: Progress) -> list[GroupFigure]:
    """The figures of the first orders of accounts, a set of which nothing was learned; none where it is not in
    ``data``. Its countries are looked up by the addresses' ranges."""
    file = data / FIRST_ORDERS.file
    if not file.is_file():
        return []
    rows = order_rows(FIRST_ORDERS.open(data), lifetimes, done, model.inputs.velocities)
    later = rows.ts >= _RINGS_END
    table = pl.read_parquet(file).with_columns(pl.col("row_id").cast(pl.String))
    known = {row_id: (fraud == 1, ip) for row_id, fraud, ip in table.select("row_id", "class", "ip_address").rows()}
    fraud = np.array([known[order][0] for order in rows.order_ids])[later]
    features = rows.features[later]
    question = Question(
        f"{FIRST_ORDERS.name}, from 2015-01-14",
        "fraud",
        fraud,
        model.score(rows.given(model.inputs)[later]).probability,
        np.arange(len(fraud)),
    )
    addresses = np.array([known[order][1] or 0 for order in rows.order_ids], np.float64)[later]
    return [
        *group_figures(question, "account", _by_account(features)),
        *list(group_figures(question, "country", _by_country(addresses, file.parent)))[1:],
    ]


def _by_account(features: Floats) -> Groups:
    age, known = features[:, _COLUMN["account_age_seconds"]], features[:, _COLUMN["has_account_age"]] > 0
    if known.any():
        return {
            "account younger than a day": known & (age < _DAY),
            "account of 1 to 30 days": known & (age >= _DAY) & (age < 30 * _DAY),
            "account of 30 days and more": known & (age >= 30 * _DAY),
            "age not known": ~known,
        }
    orders = features[:, _COLUMN["orders_30d"]]
    return {
        "first order in 30 days": orders <= 1,
        "2 to 20 orders in 30 days": (orders > 1) & (orders <= 20),
        "more than 20 orders in 30 days": orders > 20,
    }


def _by_country(addresses: np.ndarray[tuple[int], np.dtype[np.float64]], folder: Path) -> Groups:
    """The countries with most orders by name, and the rest; 0 stands for no address."""
    ranges = pl.read_parquet(folder / "ip_to_country.parquet").sort("upper_bound_ip_address")
    upper = ranges["upper_bound_ip_address"].to_numpy()
    place = np.searchsorted(upper, np.floor(addresses))
    country = np.append(ranges["country"].to_numpy(), "")[np.minimum(place, len(upper))].astype(str)
    country[addresses == 0] = ""
    names, counts = np.unique(country[country != ""], return_counts=True)
    most = names[np.argsort(-counts, kind="stable")][:_MOST_COUNTRIES].tolist()
    named = {name: np.asarray(country == name) for name in most}
    return named | {"other countries": _others(country, most), "not known": np.asarray(country == "")}


def _others(country: np.ndarray[tuple[int], np.dtype[np.str_]], most: list[str]) -> Flags:
    return np.asarray((country != "") & ~np.isin(country, most))


def every_order_group(data: Path, lifetimes: Lifetimes, model: RiskScorer, done: Progress) -> Iterator[GroupFigure]:
    """The figures of all sets at hand."""
    for source in SETS:
        yield from order_groups(source, data, lifetimes, model, done)
    yield from first_order_groups(data, lifetimes, model, done)
