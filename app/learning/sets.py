"""What was gathered from the topics as data sets: rows with what came true of them, split by time.

The earliest three fifths of the time train, the fifth after them chooses, the last one measures. What is not settled
yet is in none: sessions that may go on, and orders without a label that may still get one.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.learning.reading import Gathered
from app.models.manifest import DataFile
from app.training.click_sets import ClickSet, labelled
from app.training.order_sets import OrderSet
from app.training.rows import joined_clicks, joined_orders
from app.training.sources import CHOOSE, LEARN, MEASURE

Ints = NDArray[np.int64]

NAME = "topics"
LICENCE = "the operator's own data"
_BEGINS = (0.6, 0.8)  # shares of the rows before the second and the third part
_UNSETTLED = -1


@dataclass(frozen=True, slots=True)
class Settling:
    """When the truth is known: a session after a silence of ``gap_ms``, an order without a label after ``label_ms``."""

    gap_ms: int
    label_ms: int


def click_set(gathered: Gathered, broker: str, settling: Settling) -> ClickSet:
    """The clicks, with what their sessions turned out to be.

    Raises:
        UsageProblem: there are none.
    """
    if not gathered.clicks:
        raise UsageProblem(
            f"the topic clickstream at {broker} has no clicks that were scored; there is nothing to learn"
        )
    rows = joined_clicks(gathered.clicks)
    ends = np.maximum.reduceat(rows.ts, np.flatnonzero(np.diff(rows.session, prepend=-1)))
    end = ends[rows.session - rows.session[0]]
    part, split = _split(rows.started_at, end + settling.gap_ms < gathered.until)
    return labelled(NAME, rows, part, _described("clickstream", broker, rows.features), split)


def order_set(gathered: Gathered, broker: str, settling: Settling) -> OrderSet:
    """The orders, with their labels; those without one are good once nothing more is to be expected.

    Raises:
        UsageProblem: there are none.
    """
    if not gathered.orders:
        raise UsageProblem(f"the topic orders at {broker} has no orders that were scored; there is nothing to learn")
    rows = joined_orders(gathered.orders)
    known, bad = gathered.labels.joined(rows.order_ids)
    part, split = _split(rows.ts, known | (rows.ts + settling.label_ms < gathered.until))
    return OrderSet(
        name=NAME,
        rows=rows,
        fraud=bad,
        part=part,
        described=_described("orders", broker, rows.features),
        split=split,
    )


def _split(ts: Ints, is_settled: NDArray[np.bool_]) -> tuple[Ints, str]:
    """The part of each row [n], and in words where they begin."""
    part = np.full(len(ts), _UNSETTLED)
    if not is_settled.any():
        return part, "nothing is settled yet"
    choose, measure = np.quantile(ts[is_settled], _BEGINS, method="higher").tolist()
    part = np.where(ts < choose, LEARN, np.where(ts < measure, CHOOSE, MEASURE))
    part[~is_settled] = _UNSETTLED
    until = _time(int(ts[is_settled].max()))
    return part, (
        f"learned until {_time(choose)}; chosen from {_time(choose)} until {_time(measure)}; "
        f"measured from {_time(measure)} until {until}"
    )


def _described(topic: str, broker: str, features: NDArray[np.float32]) -> DataFile:
    digest = hashlib.sha256(np.ascontiguousarray(features).tobytes()).hexdigest()
    return DataFile(f"topic {topic} at {broker}", digest, LICENCE, len(features))


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
