"""Events that are native already go through as they are, the broken ones too."""

from pathlib import Path

import msgspec
import polars as pl
import pytest

from app.cli.errors import UsageProblem
from app.replay.recorded import RecordedBatch
from app.replay.recording import open_recording

T = 1_700_000_000_000


def line(event_id: str, ts: object, **more: object) -> bytes:
    return msgspec.json.encode({"event_id": event_id, "type": "page_viewed", "ts": ts, "user_id": "u1", **more})


def only_batch(*files: Path) -> RecordedBatch:
    (batch,) = open_recording(files, "native", 1000)
    return batch


def test_lines_go_by_type_to_their_topic_in_time_order_as_the_bytes_they_are(tmp_path: Path) -> None:
    order = line("o", T + 1, type="order_placed", user_id="买家")
    label = line("l", T, label="fraud", user_id=None, anonymous_id="a1")
    click = b'  { "ts" : %d, "type":"page_viewed","event_id":"c", "unknown":[1e5] } ' % (T - 1)
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\r\n".join([order, label, b"", click]))
    batch = only_batch(file)
    assert batch.values == [click, label, order]
    assert batch.topics == ["clickstream", "labels", "orders"]
    assert batch.keys == [b"", b"a1", "买家".encode()]
    assert batch.timestamps == [T - 1, T, T + 1]


@pytest.mark.parametrize(
    "broken",
    [
        b"not json",
        b'{"event_id":"x","ts":',
        b'{"user_id":"\xff\xfe"}',
        b"[1,2]",
        b"null",
        b"[" * 100_000,
        line("x", "yesterday"),
        line("x", 2**70),
        line("x", True),
        line("x", 1.5),
    ],
)
def test_what_has_no_time_stays_beside_the_line_before_it(tmp_path: Path, broken: bytes) -> None:
    before, after = line("b", T), line("a", T + 1)
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join([before, broken, after]) + b"\n")
    batch = only_batch(file)
    assert batch.values == [before, broken, after]
    assert batch.timestamps == [T, T, T + 1]
    assert batch.topics == ["clickstream"] * 3


def test_an_empty_file_has_no_events(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    recording = open_recording([tmp_path / "empty.jsonl"], "native", 10)
    assert recording.rows == 0
    assert list(recording) == []


def test_tables_yield_the_same_events_as_lines_whatever_their_format(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "type": ["order_placed", "page_viewed"],
            "event_id": ["o", "c"],
            "ts": [T + 5, T],
            "user_id": ["007", "null"],
            "order_id": ["1", None],
            "value": [12.5, None],
            "query": [None, 'say "price":"3"'],
        }
    )
    table.write_parquet(tmp_path / "events.parquet")
    table.write_csv(tmp_path / "events.csv")
    expected = [
        {"event_id": "c", "type": "page_viewed", "ts": T, "user_id": "null", "query": 'say "price":"3"'},
        {
            "event_id": "o",
            "type": "order_placed",
            "ts": T + 5,
            "user_id": "007",
            "order_id": "1",
            "value": 12.5,
        },
    ]
    for name in ("events.parquet", "events.csv"):
        batch = only_batch(tmp_path / name)
        assert [msgspec.json.decode(value) for value in batch.values] == expected
        assert batch.topics == ["clickstream", "orders"]
        assert batch.keys == [b"null", b"007"]


def test_a_csv_cell_that_is_no_number_is_kept_for_the_engine_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("event_id,type,ts,user_id,price\nx,page_viewed,soon,u1,12 EUR\n")
    (value,) = only_batch(tmp_path / "events.csv").values
    assert msgspec.json.decode(value) == {
        "event_id": "x",
        "type": "page_viewed",
        "ts": "soon",
        "user_id": "u1",
        "price": "12 EUR",
    }


def test_files_of_all_formats_are_one_stream_and_ties_keep_the_order_of_files(tmp_path: Path) -> None:
    first = tmp_path / "first.jsonl"
    first.write_bytes(b"\n".join([line("1", T), line("3", T + 1)]))
    second = tmp_path / "second.parquet"
    pl.DataFrame({"event_id": ["2", "4"], "ts": [T, T + 1]}).write_parquet(second)
    batches = list(open_recording([first, second], "native", 3))
    ids = [[msgspec.json.decode(value)["event_id"] for value in batch.values] for batch in batches]
    assert ids == [["1", "2", "3"], ["4"]]


def test_a_table_without_ids_and_times_is_no_native_file(tmp_path: Path) -> None:
    pl.DataFrame({"time": [1], "user": ["a"]}).write_parquet(tmp_path / "events.parquet")
    with pytest.raises(UsageProblem, match="it has time, user; expected event_id, type, ts"):
        open_recording([tmp_path / "events.parquet"], "native")
