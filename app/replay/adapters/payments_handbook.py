"""The simulated card payments of the fraud-detection handbook (Le Borgne et al., ULB, 2022).

A payment is a `payment_attempted`; its terminal is the merchant. The handbook's frauds become known seven
days later: each yields an event on `labels` then. A payment without one by that time was genuine; saying so
again for every one of them would double the stream and tell nothing. The amounts are in no currency; they
are called EUR. A few are 0: the engine refuses and dead-letters those.
"""

import polars as pl

from app.replay.adapters.tables import NUMBER, TEXT, TIME, Shape
from schemas.topics import LABELS, ORDERS

LABEL_DELAY_MS = 7 * 24 * 3_600_000


def _rows(table: pl.DataFrame) -> pl.DataFrame:
    payments = table.select(
        "TRANSACTION_ID",
        "CUSTOMER_ID",
        "TERMINAL_ID",
        "TX_AMOUNT",
        ts=pl.col("TX_DATETIME").dt.epoch("ms"),
        is_label=pl.lit(False),
    )
    frauds = payments.filter(table["TX_FRAUD"] == "1")
    return pl.concat(
        [payments, frauds.with_columns(ts=pl.col("ts") + LABEL_DELAY_MS, is_label=pl.lit(True))],
    )


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    label = pl.col("is_label")
    payment = ~label
    return rows.select(
        event_id=pl.when(label)
        .then(pl.format("label-{}", "TRANSACTION_ID"))
        .otherwise(pl.format("payment-{}", "TRANSACTION_ID")),
        type=pl.when(label).then(pl.lit("label_set")).otherwise(pl.lit("payment_attempted")),
        ts="ts",
        user_id="CUSTOMER_ID",
        order_id="TRANSACTION_ID",
        merchant_id=pl.when(payment).then("TERMINAL_ID"),
        value=pl.when(payment).then("TX_AMOUNT"),
        currency=pl.when(payment).then(pl.lit("EUR")),
        label=pl.when(label).then(pl.lit("fraud")),
        source=pl.when(label).then(pl.lit("payments-handbook")),
        topic=pl.when(label).then(pl.lit(LABELS)).otherwise(pl.lit(ORDERS)),
    )


PAYMENTS_HANDBOOK = Shape(
    columns={
        "TRANSACTION_ID": TEXT,
        "TX_DATETIME": TIME,
        "CUSTOMER_ID": TEXT,
        "TERMINAL_ID": TEXT,
        "TX_AMOUNT": NUMBER,
        "TX_FRAUD": TEXT,
    },
    rows=_rows,
    events=_events,
)
