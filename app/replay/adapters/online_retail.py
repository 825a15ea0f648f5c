"""UCI Online Retail: the order lines and cancellations of a British wholesaler.

An invoice is one event with all its lines as `items`, at the time of its first line. One whose number
begins with C is a cancellation, `order_cancelled` on `clickstream`, where the invoice's own number is the
`order_id` (the set does not say which order it undoes) and the lines are in `properties`. Every other one
is an `order_placed`; a tenth of them are stock corrections and bad debts with a total of zero or less,
which the engine refuses and dead-letters. Where the customer is missing, `anonymous_id` is made from the
invoice. Times are local, taken as UTC.
"""

import polars as pl

from app.replay.adapters.tables import NUMBER, TEXT, TIME, Shape
from schemas.topics import CLICKSTREAM, ORDERS

# ISO 3166-1 alpha-2; what names no single country (European Community, Channel Islands) stays absent.
_COUNTRIES = {
    "Australia": "AU",
    "Austria": "AT",
    "Bahrain": "BH",
    "Belgium": "BE",
    "Brazil": "BR",
    "Canada": "CA",
    "Cyprus": "CY",
    "Czech Republic": "CZ",
    "Denmark": "DK",
    "EIRE": "IE",
    "Finland": "FI",
    "France": "FR",
    "Germany": "DE",
    "Greece": "GR",
    "Hong Kong": "HK",
    "Iceland": "IS",
    "Israel": "IL",
    "Italy": "IT",
    "Japan": "JP",
    "Lebanon": "LB",
    "Lithuania": "LT",
    "Malta": "MT",
    "Netherlands": "NL",
    "Norway": "NO",
    "Poland": "PL",
    "Portugal": "PT",
    "RSA": "ZA",
    "Saudi Arabia": "SA",
    "Singapore": "SG",
    "Spain": "ES",
    "Sweden": "SE",
    "Switzerland": "CH",
    "USA": "US",
    "United Arab Emirates": "AE",
    "United Kingdom": "GB",
}


def _rows(table: pl.DataFrame) -> pl.DataFrame:
    lines = table.with_columns(
        item=pl.struct(
            product_id="StockCode",
            quantity=pl.col("Quantity").cast(pl.Int64, strict=False),
            price="UnitPrice",
        )
    )
    return lines.group_by("InvoiceNo", maintain_order=True).agg(
        ts=pl.col("InvoiceDate").first().dt.epoch("ms"),
        customer=pl.col("CustomerID").first(),
        country=pl.col("Country").first().replace_strict(_COUNTRIES, default=None),
        total=(pl.col("Quantity") * pl.col("UnitPrice")).sum().round(2),
        items=pl.col("item"),
    )


def _events(invoices: pl.DataFrame) -> pl.DataFrame:
    cancelled = pl.col("InvoiceNo").str.starts_with("C")
    placed = ~cancelled
    nobody = pl.col("customer").is_null()
    return invoices.select(
        event_id=pl.format("online-retail-{}", "InvoiceNo"),
        type=pl.when(cancelled).then(pl.lit("order_cancelled")).otherwise(pl.lit("order_placed")),
        ts="ts",
        user_id="customer",
        anonymous_id=pl.when(nobody).then(pl.format("invoice-{}", "InvoiceNo")),
        order_id="InvoiceNo",
        value=pl.when(placed).then("total"),
        currency=pl.lit("GBP"),
        billing_country=pl.when(placed).then("country"),
        items=pl.when(placed).then("items"),
        properties=pl.when(cancelled).then(pl.struct("total", "items")),
        topic=pl.when(cancelled).then(pl.lit(CLICKSTREAM)).otherwise(pl.lit(ORDERS)),
    )


ONLINE_RETAIL = Shape(
    columns={
        "InvoiceNo": TEXT,
        "StockCode": TEXT,
        "Quantity": NUMBER,
        "InvoiceDate": TIME,
        "UnitPrice": NUMBER,
        "CustomerID": TEXT,
        "Country": TEXT,
    },
    rows=_rows,
    events=_events,
)
