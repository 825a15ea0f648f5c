"""Every line of every data set comes out as one event of the contract, in time order."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from app.cli.errors import UsageProblem
from app.replay.recording import open_recording
from schemas.events import Click, Label, Order
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    CLICKSTREAM: msgspec.json.Decoder(Click),
    ORDERS: msgspec.json.Decoder(Order),
    LABELS: msgspec.json.Decoder(Label),
}
NOON = datetime(2019, 10, 1, 12, tzinfo=UTC)
NOON_MS = 1_569_931_200_000


def events(files: list[Path], kind: str, batch_rows: int = 8192) -> Iterator[tuple[str, bytes, int, bytes]]:
    for batch in open_recording(files, kind, batch_rows):
        assert len(batch) <= batch_rows
        yield from zip(batch.topics, batch.keys, batch.timestamps, batch.values, strict=True)


def payloads(files: list[Path], kind: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(value) for _, _, _, value in events(files, kind)]


def write(frame: pl.DataFrame, path: Path) -> Path:
    match path.suffix:
        case ".parquet":
            frame.write_parquet(path)
        case ".csv":
            frame.write_csv(path)
        case _:
            frame.write_ndjson(path)
    return path


REES46 = pl.DataFrame(
    {
        "event_time": [NOON.replace(second=9), NOON, NOON],
        "event_type": ["purchase", "view", "cart"],
        "product_id": [7, 8, 9],
        "category_id": [70, 80, 90],
        "category_code": ["a.b", None, "c"],
        "brand": [None, "x", "y"],
        "price": [1.5, 2.0, 3.25],
        "user_id": [1, 2, 1],
        "user_session": ["s1", None, "s2"],
    }
)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_rees46_lines_become_clicks_in_time_order_from_any_format(tmp_path: Path, suffix: str) -> None:
    file = write(REES46, tmp_path / f"events{suffix}")
    assert payloads([file], "rees46") == [
        {
            "event_id": "rees46-1",
            "type": "product_viewed",
            "ts": NOON_MS,
            "user_id": "2",
            "product_id": "8",
            "category": "80",
            "brand": "x",
            "price": 2.0,
            "currency": "USD",
        },
        {
            "event_id": "rees46-2",
            "type": "product_added",
            "ts": NOON_MS,
            "user_id": "1",
            "session_id": "s2",
            "product_id": "9",
            "category": "c",
            "brand": "y",
            "price": 3.25,
            "currency": "USD",
        },
        {
            "event_id": "rees46-0",
            "type": "order_completed",
            "ts": NOON_MS + 9000,
            "user_id": "1",
            "session_id": "s1",
            "product_id": "7",
            "category": "a.b",
            "price": 1.5,
            "currency": "USD",
        },
    ]


def test_several_files_are_one_stream_whose_ids_stay_unique(tmp_path: Path) -> None:
    first = write(REES46, tmp_path / "first.parquet")
    second = write(REES46.with_columns(pl.col("event_time").dt.offset_by("-5s")), tmp_path / "second.csv")
    found = payloads([first, second], "rees46")
    assert [event["event_id"] for event in found] == [f"rees46-{row}" for row in (4, 5, 1, 2, 3, 0)]


def test_an_unknown_word_and_a_missing_time_go_through_for_the_engine_to_refuse(tmp_path: Path) -> None:
    times = pl.Series([NOON, None, NOON.replace(second=9)], dtype=pl.Datetime("us", "UTC"))
    broken = REES46.with_columns(event_time=times, event_type=pl.Series(["view", "cart", "hover"]))
    found = payloads([write(broken, tmp_path / "events.parquet")], "rees46")
    assert [event["type"] for event in found] == ["product_viewed", "product_added", "hover"]
    assert "ts" not in found[1]


def test_taobao_files_of_both_shapes_are_one_stream(tmp_path: Path) -> None:
    behaviour = pl.DataFrame(
        {
            "row_id": [40, 41],
            "time": [NOON, NOON.replace(second=2)],
            "user_id": [5, 5],
            "item_id": [6, 6],
            "category_id": [3, 3],
            "behavior": ["pv", "fav"],
        }
    )
    actions = pl.DataFrame({"time": [NOON], "user_id": [5], "item_id": [6], "event": ["buy"]})
    files = [
        write(behaviour, tmp_path / "behaviour.parquet"),
        write(actions.with_columns(pl.col("time").dt.offset_by("1s")), tmp_path / "actions.parquet"),
    ]
    found = payloads(files, "taobao")
    assert [(event["event_id"], event["type"]) for event in found] == [
        ("taobao-40", "product_viewed"),
        ("taobao-action-0", "order_completed"),
        ("taobao-41", "product_added_to_wishlist"),
    ]


def test_eshop_sessions_keep_their_order_inside_their_day_at_the_same_times_every_time(
    tmp_path: Path,
) -> None:
    clicks = pl.DataFrame(
        {
            "date": [datetime(2008, 4, 1)] * 250,
            "order": list(range(250, 0, -1)),
            "session_id": [12] * 250,
            "page1_main_category": [3] * 250,
            "page2_clothing_model": ["B4"] * 250,
            "price": [38] * 250,
        }
    )
    file = write(clicks, tmp_path / "clicks.parquet")
    found = payloads([file], "eshop")
    assert [event["event_id"] for event in found] == [f"eshop-12-{click}" for click in range(1, 251)]
    assert {datetime.fromtimestamp(event["ts"] / 1000, UTC).date() for event in found} == {datetime(2008, 4, 1).date()}
    assert found[0]["anonymous_id"] == found[0]["session_id"] == "12"
    assert found == payloads([file], "eshop")


def test_online_retail_invoices_are_orders_and_cancellations_with_all_their_lines(tmp_path: Path) -> None:
    lines = pl.DataFrame(
        {
            "InvoiceNo": ["1", "1", "C2", "3"],
            "StockCode": ["A", "B", "A", "POST"],
            "Quantity": [2, 1, -2, 1],
            "InvoiceDate": [datetime(2019, 10, 1, 12)] * 4,
            "UnitPrice": [1.1, 0.8, 1.1, 4.0],
            "CustomerID": [17, 17, 17, None],
            "Country": ["EIRE", "EIRE", "EIRE", "European Community"],
        }
    )
    order, cancellation, nobodys = payloads([write(lines, tmp_path / "lines.parquet")], "online-retail")
    assert order == {
        "event_id": "online-retail-1",
        "type": "order_placed",
        "ts": NOON_MS,
        "user_id": "17",
        "order_id": "1",
        "value": 3.0,
        "currency": "GBP",
        "billing_country": "IE",
        "items": [
            {"product_id": "A", "quantity": 2, "price": 1.1},
            {"product_id": "B", "quantity": 1, "price": 0.8},
        ],
    }
    assert (cancellation["type"], cancellation["order_id"]) == ("order_cancelled", "C2")
    assert cancellation["properties"]["items"] == [{"product_id": "A", "quantity": -2, "price": 1.1}]
    assert (nobodys["anonymous_id"], nobodys.get("user_id"), nobodys.get("billing_country")) == (
        "invoice-3",
        None,
        None,
    )


def test_payments_handbook_frauds_are_labelled_seven_days_later(tmp_path: Path) -> None:
    payments = pl.DataFrame(
        {
            "TRANSACTION_ID": [0, 1],
            "TX_DATETIME": [datetime(2019, 10, 1, 12), datetime(2019, 10, 9)],
            "CUSTOMER_ID": [5, 6],
            "TERMINAL_ID": [70, 71],
            "TX_AMOUNT": [12.5, 3.0],
            "TX_FRAUD": [1, 0],
        }
    )
    file = write(payments, tmp_path / "payments.parquet")
    found = [(topic, key, msgspec.json.decode(value)) for topic, key, _, value in events([file], "payments-handbook")]
    assert [(topic, key, event["event_id"]) for topic, key, event in found] == [
        (ORDERS, b"5", "payment-0"),
        (LABELS, b"5", "label-0"),
        (ORDERS, b"6", "payment-1"),
    ]
    payment, label = found[0][2], found[1][2]
    assert (payment["type"], payment["merchant_id"], payment["value"]) == ("payment_attempted", "70", 12.5)
    assert label["ts"] - payment["ts"] == 7 * 86_400_000
    assert (label["label"], label["order_id"]) == ("fraud", payment["order_id"])


def test_first_orders_name_device_address_and_sign_up_and_frauds_are_labelled_seven_days_later(tmp_path: Path) -> None:
    orders = pl.DataFrame(
        {
            "row_id": [3, 4],
            "user_id": [5, 6],
            "signup_time": [datetime(2015, 1, 1, 12), datetime(2015, 1, 1, 12)],
            "purchase_time": [datetime(2015, 1, 1, 12), datetime(2015, 1, 2)],
            "purchase_value": [14, 20],
            "device_id": ["D", "D"],
            "browser": ["Chrome", "IE"],
            "ip_address": [256.0**3 + 2 * 256**2 + 3 * 256 + 4.9, None],
            "class": [1, 0],
        }
    )
    file = write(orders, tmp_path / "orders.parquet")
    found = [(topic, key, msgspec.json.decode(value)) for topic, key, _, value in events([file], "fraud-ecommerce")]
    assert [(topic, key, event["event_id"]) for topic, key, event in found] == [
        (ORDERS, b"5", "first-3"),
        (ORDERS, b"6", "first-4"),
        (LABELS, b"5", "label-3"),
    ]
    first, second, label = (event for _, _, event in found)
    assert (first["device_id"], first["ip"], first["ts"] - first["account_created_ts"]) == ("D", "1.2.3.4", 0)
    assert "ip" not in second
    assert label["ts"] - first["ts"] == 7 * 86_400_000
    assert (label["label"], label["order_id"]) == ("fraud", first["order_id"])


def test_files_and_kinds_that_do_not_fit_are_named_with_what_was_expected(tmp_path: Path) -> None:
    file = write(REES46.drop("brand"), tmp_path / "events.parquet")
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1 no more")
    with pytest.raises(UsageProblem, match=r"it has .*user_session; expected .*brand"):
        open_recording([file], "rees46")
    with pytest.raises(UsageProblem, match=r"absent\.parquet does not exist"):
        open_recording([tmp_path / "absent.parquet"], "rees46")
    with pytest.raises(UsageProblem, match="cannot be read"):
        open_recording([damaged], "rees46")
    with pytest.raises(UsageProblem, match=r"ends in \.parquet, \.csv"):
        open_recording([tmp_path / "events.xlsx"], "rees46")
    with pytest.raises(UsageProblem, match=r"'rees'; use one of native, rees46"):
        open_recording([file], "rees")


REAL = {
    "rees46": (["rees46_sample/events"], {CLICKSTREAM: 17_435}, 0),
    "retailrocket": (["retailrocket_extract/events"], {CLICKSTREAM: 81_849}, 0),
    "taobao": (
        ["taobao_userbehavior/events", "taobao_userbehavior/actions_32k_users"],
        {CLICKSTREAM: 73_107 + 281_016},
        0,
    ),
    "eshop": (["eshop_clothing_2008/clicks"], {CLICKSTREAM: 135_568}, 0),
    # Refused: stock corrections, bad debts and free goods, which have no positive total.
    "online-retail": (["online_retail/order_lines"], {ORDERS: 15_819, CLICKSTREAM: 2_873}, 1_561),
    "fraud-ecommerce": (["fraud_ecommerce/orders"], {ORDERS: 41_348, LABELS: 4_358}, 0),
    # Refused: payments of nothing.
    "payments-handbook": (["payments_handbook/transactions"], {ORDERS: 1_409_011, LABELS: 11_590}, 33),
}


@pytest.mark.parametrize("kind", [*list(REAL)[:-1], pytest.param("payments-handbook", marks=pytest.mark.slow)])
def test_every_event_of_the_public_data_sets_comes_out_once_and_in_order(shared_data: Path, kind: str) -> None:
    names, expected, refused = REAL[kind]
    counts: Counter[str] = Counter()
    ids: set[str] = set()
    problems: list[str] = []
    last = 0
    for topic, key, time, value in events([shared_data / f"{name}.parquet" for name in names], kind):
        counts[topic] += 1
        assert time >= last
        last = time
        try:
            event = DECODERS[topic].decode(value)
        except msgspec.ValidationError as problem:
            problems.append(str(problem))
            continue
        assert (event.ts, (event.user_id or event.anonymous_id).encode()) == (time, key)
        ids.add(event.event_id)
    assert dict(counts) == expected
    assert problems == ["Expected `float` > 0.0 - at `$.value`"] * refused
    assert len(ids) == counts.total() - refused


def test_every_order_line_of_online_retail_is_in_one_event(shared_data: Path) -> None:
    found = payloads([shared_data / "online_retail/order_lines.parquet"], "online-retail")
    lines = sum(len(event["items"] if "items" in event else event["properties"]["items"]) for event in found)
    assert lines == 369_044
