"""First orders of accounts of a shop (Kaggle `vbinh002/fraud-ecommerce`), each with its device, address and sign-up.

An order is an `order_placed` of an account created at its sign-up. Times have whole minutes: an account that buys in
the minute of its sign-up has an age of 0. An address is a number with a spurious fraction. The set does not say when a
fraud became known; as for the handbook's payments an event on `labels` tells it seven days later, and an order without
one was genuine.
"""

import polars as pl

from app.replay.adapters.tables import NUMBER, TEXT, TIME, Shape
from schemas.topics import LABELS, ORDERS

LABEL_DELAY_MS = 7 * 24 * 3_600_000


def _rows(table: pl.DataFrame) -> pl.DataFrame:
    orders = table.select(
        "row_id",
        "user_id",
        "purchase_value",
        "device_id",
        "browser",
        "ip_address",
        ts=pl.col("purchase_time").dt.epoch("ms"),
        account_created_ts=pl.col("signup_time").dt.epoch("ms"),
        is_label=pl.lit(False),
    )
    frauds = orders.filter(table["class"] == "1")
    return pl.concat(
        [orders, frauds.with_columns(ts=pl.col("ts") + LABEL_DELAY_MS, is_label=pl.lit(True))],
    )


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    label = pl.col("is_label")
    order = ~label
    return rows.select(
        event_id=pl.when(label).then(pl.format("label-{}", "row_id")).otherwise(pl.format("first-{}", "row_id")),
        type=pl.when(label).then(pl.lit("label_set")).otherwise(pl.lit("order_placed")),
        ts="ts",
        user_id="user_id",
        order_id="row_id",
        value=pl.when(order).then("purchase_value"),
        currency=pl.when(order).then(pl.lit("USD")),
        device_id=pl.when(order).then("device_id"),
        ip=pl.when(order).then(_dotted("ip_address")),
        user_agent=pl.when(order).then("browser"),
        account_created_ts=pl.when(order).then("account_created_ts"),
        label=pl.when(label).then(pl.lit("fraud")),
        source=pl.when(label).then(pl.lit("fraud-ecommerce")),
        topic=pl.when(label).then(pl.lit(LABELS)).otherwise(pl.lit(ORDERS)),
    )


def _dotted(column: str) -> pl.Expr:
    """An address given as a number, as people write it; null stays null."""
    number = pl.col(column).floor().cast(pl.Int64, strict=False)
    return pl.format("{}.{}.{}.{}", *[(number // (1 << shift)) % 256 for shift in (24, 16, 8, 0)])


FRAUD_ECOMMERCE = Shape(
    columns={
        "row_id": TEXT,
        "user_id": TEXT,
        "signup_time": TIME,
        "purchase_time": TIME,
        "purchase_value": NUMBER,
        "device_id": TEXT,
        "browser": TEXT,
        "ip_address": NUMBER,
        "class": TEXT,
    },
    rows=_rows,
    events=_events,
)
