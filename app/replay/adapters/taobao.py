"""Taobao user behaviour: whole streams of a few users, or the actions without page views of many.

The two extracts number their users and items differently: the same id in both is not the same user.
"""

import polars as pl

from app.replay.adapters.tables import TEXT, TIME, Shape, timed_by
from schemas.topics import CLICKSTREAM

_TYPES = {
    "pv": "product_viewed",
    "cart": "product_added",
    "fav": "product_added_to_wishlist",
    "buy": "order_completed",
}


def _behaviour_events(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        event_id=pl.format("taobao-{}", "row_id"),
        type=pl.col("behavior").replace(_TYPES),
        ts="ts",
        user_id="user_id",
        product_id="item_id",
        category="category_id",
        topic=pl.lit(CLICKSTREAM),
    )


def _action_events(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        event_id=pl.format("taobao-action-{}", "row"),
        type=pl.col("event").replace(_TYPES),
        ts="ts",
        user_id="user_id",
        product_id="item_id",
        topic=pl.lit(CLICKSTREAM),
    )


TAOBAO_BEHAVIOUR = Shape(
    columns={
        "row_id": TEXT,
        "time": TIME,
        "user_id": TEXT,
        "item_id": TEXT,
        "category_id": TEXT,
        "behavior": TEXT,
    },
    rows=timed_by("time"),
    events=_behaviour_events,
)
TAOBAO_ACTIONS = Shape(
    columns={"time": TIME, "user_id": TEXT, "item_id": TEXT, "event": TEXT},
    rows=timed_by("time"),
    events=_action_events,
)
