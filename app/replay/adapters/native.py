"""Events that already are as the contract says: JSON lines, Parquet or CSV.

A JSON line goes through as the bytes it is, valid or not; blank lines are no events. What cannot be read as
an event at all goes to the clickstream topic, for the engine to dead-letter, at the time of the line before
it. A table has one column per field. A null cell, or a number that is none (NaN), is an absent field; in CSV
everything is text but the numbers of the contract.
"""

import mmap
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from app.cli.errors import UsageProblem
from app.replay.adapters.tables import JSON_LINES, TableSource, collected, scan
from app.replay.encoding import json_values
from app.replay.recorded import RecordedBatch, Source
from schemas.events import ORDER_TYPES
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

_NUMBER_FIELDS = ("ts", "price", "quantity", "value", "account_created_ts")
_QUOTED_NUMBER = rf'"({"|".join(_NUMBER_FIELDS)})":"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"'
_TIME_LIMIT = 2**62
"""Beyond it a time is no int64 that could still be compared and added to."""


class _Envelope(msgspec.Struct, gc=False):
    """The fields that say where an event belongs, whatever their types."""

    type: Any = None
    ts: Any = None
    label: Any = None
    user_id: Any = None
    anonymous_id: Any = None


_NOTHING = _Envelope()
_decode = msgspec.json.Decoder(_Envelope).decode


class LinesSource:
    """Events of a file with one JSON object a line: indexed once, 24 bytes a line, then read by offset."""

    def __init__(self, path: Path) -> None:
        self._path = path
        places, times = array("q"), array("q")
        for start, line in _lines(path):
            places.extend((start, len(line)))
            times.append(_time(_envelope(line), times[-1] if times else 0))
        self._places: npt.NDArray[np.int64] = np.array(places, dtype=np.int64).reshape(-1, 2)
        self.times: npt.NDArray[np.int64] = np.array(times, dtype=np.int64)

    def take(self, events: npt.NDArray[np.int64]) -> RecordedBatch:
        """The events at these positions, in this order."""
        with self._path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
            values = [octets[start : start + size] for start, size in self._places[events].tolist()]
        envelopes = [_envelope(value) for value in values]
        return RecordedBatch(
            topics=[_topic(envelope) for envelope in envelopes],
            keys=[_key(envelope) for envelope in envelopes],
            timestamps=self.times[events].tolist(),
            values=values,
        )


def native_sources(files: Sequence[Path]) -> list[Source]:
    """One source for each file. Raises UsageProblem if one cannot be read as native events."""
    return [_lines_source(path) if path.suffix.lower() in JSON_LINES else _table_source(path) for path in files]


def _lines_source(path: Path) -> LinesSource:
    if not path.is_file():
        raise UsageProblem(f"{path} does not exist or is no file")
    return LinesSource(path)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, without its end, and the offset where it begins."""
    start = 0
    with path.open("rb") as file:
        for line in file:
            if stripped := line.rstrip(b"\r\n"):
                yield start, stripped
            start += len(line)


def _envelope(line: bytes) -> _Envelope:
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _NOTHING


def _time(envelope: _Envelope, before: int) -> int:
    ts = envelope.ts
    return ts if type(ts) is int and abs(ts) < _TIME_LIMIT else before


def _topic(envelope: _Envelope) -> str:
    if envelope.label is not None:
        return LABELS
    return ORDERS if envelope.type in ORDER_TYPES else CLICKSTREAM


def _key(envelope: _Envelope) -> bytes:
    for identifier in (envelope.user_id, envelope.anonymous_id):
        if isinstance(identifier, str) and identifier:
            return identifier.encode()
    return b""


def _table_source(path: Path) -> TableSource:
    table = scan(path)
    found = table.collect_schema().names()
    if not {"event_id", "ts"} <= set(found):
        raise UsageProblem(
            f"{path} is no native file: it has {', '.join(found)}; expected event_id, type, ts, "
            "user_id or anonymous_id, and other fields of the contract"
        )
    rows = collected(table, "native")
    times = rows["ts"].cast(pl.Int64, strict=False)
    encode = _unquoted_values if path.suffix.lower() == ".csv" else json_values
    return TableSource(rows, times, _events, encode)


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    order = pl.col("type").is_in(ORDER_TYPES) if "type" in rows.columns else pl.lit(False)
    topic = pl.when(order).then(pl.lit(ORDERS)).otherwise(pl.lit(CLICKSTREAM))
    if "label" in rows.columns:
        topic = pl.when(pl.col("label").is_not_null()).then(pl.lit(LABELS)).otherwise(topic)
    return rows.select("event_id", pl.exclude("event_id", "topic"), topic=topic)


def _unquoted_values(events: pl.DataFrame) -> pl.Series:
    """JSON of columns that are all text, with the contract's numbers as numbers where they are some."""
    return json_values(events).str.replace_all(_QUOTED_NUMBER, r'"$1":$2')
