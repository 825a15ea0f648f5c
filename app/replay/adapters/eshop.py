"""UCI clickstream of a Polish clothing shop (2008): ordered clicks that have a day but no time of day.

The times are made up, the same at every reading: a session begins between 06:00 and 18:00 UTC of its day, and
its clicks are 5 to 85 seconds apart, both drawn by a hash of the session's id and the click's number. The
order inside a session is the recorded one; a session of up to 250 clicks ends on its day. The set names no
users, so each session is a visitor of its own, `anonymous_id`.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from app.replay.adapters.tables import NUMBER, TEXT, TIME, Shape
from schemas.topics import CLICKSTREAM

_CATEGORIES = {"1": "trousers", "2": "skirts", "3": "blouses", "4": "sale"}
_HOUR_MS = 3_600_000
_OPENING_MS, _STARTS_MS = 6 * _HOUR_MS, 12 * _HOUR_MS
_SHORTEST_GAP_MS, _GAP_SPREAD_MS = 5_000, 80_000


def _rows(table: pl.DataFrame) -> pl.DataFrame:
    clicks = table.with_columns(pl.col("order").cast(pl.Int64), pl.col("session_id").cast(pl.Int64))
    session, click = clicks["session_id"].to_numpy(), clicks["order"].to_numpy()
    start = _OPENING_MS + _hashed(session, np.zeros_like(click)) % np.uint64(_STARTS_MS)
    gap = _SHORTEST_GAP_MS + _hashed(session, click) % np.uint64(_GAP_SPREAD_MS)
    made_up = clicks.with_columns(start=pl.Series(start.astype(np.int64)), gap=pl.Series(gap.astype(np.int64)))
    elapsed = pl.col("gap").cum_sum().over("session_id", order_by="order")
    return made_up.with_columns(ts=pl.col("date").dt.epoch("ms") + pl.col("start") + elapsed).drop("start", "gap")


def _hashed(session: npt.NDArray[np.int64], click: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser over both numbers (Steele, Lea, Flood, OOPSLA 2014)."""
    mixed = session.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + click.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        event_id=pl.format("eshop-{}-{}", "session_id", "order"),
        type=pl.lit("product_viewed"),
        ts="ts",
        anonymous_id=pl.col("session_id").cast(pl.String),
        session_id=pl.col("session_id").cast(pl.String),
        product_id="page2_clothing_model",
        category=pl.col("page1_main_category").replace(_CATEGORIES),
        price="price",
        currency=pl.lit("USD"),
        topic=pl.lit(CLICKSTREAM),
    )


ESHOP = Shape(
    columns={
        "date": TIME,
        "order": TEXT,
        "session_id": TEXT,
        "page1_main_category": TEXT,
        "page2_clothing_model": TEXT,
        "price": NUMBER,
    },
    rows=_rows,
    events=_events,
)
