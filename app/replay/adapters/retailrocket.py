"""RetailRocket: views, cart additions and transactions of a shop's visitors."""

import polars as pl

from app.replay.adapters.tables import TEXT, TIME, Shape, timed_by
from schemas.topics import CLICKSTREAM

_TYPES = {"view": "product_viewed", "addtocart": "product_added", "transaction": "order_completed"}


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        event_id=pl.format("retailrocket-{}", "row"),
        type=pl.col("event").replace(_TYPES),
        ts="ts",
        user_id="user_id",
        product_id="item_id",
        topic=pl.lit(CLICKSTREAM),
    )


RETAILROCKET = Shape(
    columns={"time": TIME, "user_id": TEXT, "event": TEXT, "item_id": TEXT},
    rows=timed_by("time"),
    events=_events,
)
