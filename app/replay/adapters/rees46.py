"""REES46 / Open CDP: the clickstream of a multi-category store."""

import polars as pl

from app.replay.adapters.tables import NUMBER, TEXT, TIME, Shape, timed_by
from schemas.topics import CLICKSTREAM

_TYPES = {
    "view": "product_viewed",
    "cart": "product_added",
    "remove_from_cart": "product_removed",
    "purchase": "order_completed",
}


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        event_id=pl.format("rees46-{}", "row"),
        # A word that is not known goes through as it is, for the engine to refuse.
        type=pl.col("event_type").replace(_TYPES),
        ts="ts",
        user_id="user_id",
        session_id="user_session",
        product_id="product_id",
        # A third of the products has no path of words, but every one has a category.
        category=pl.coalesce("category_code", "category_id"),
        brand="brand",
        price="price",
        currency=pl.lit("USD"),
        topic=pl.lit(CLICKSTREAM),
    )


REES46 = Shape(
    columns={
        "event_time": TIME,
        "event_type": TEXT,
        "product_id": TEXT,
        "category_id": TEXT,
        "category_code": TEXT,
        "brand": TEXT,
        "price": NUMBER,
        "user_id": TEXT,
        "user_session": TEXT,
    },
    rows=timed_by("event_time"),
    events=_events,
)
