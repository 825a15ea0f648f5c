"""Tables on disk to sources of events: what the adapters of tabular data sets share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PolarsError

from app.cli.errors import UsageProblem
from app.replay.encoding import Encode, json_values, recorded
from app.replay.recorded import RecordedBatch

TEXT = pl.String()
NUMBER = pl.Float64()
TIME = pl.Datetime("ms", "UTC")

JSON_LINES = (".jsonl", ".ndjson", ".json")
_SCANNERS: Mapping[str, Callable[[Path], pl.LazyFrame]] = {
    ".parquet": pl.scan_parquet,
    # Everything as text: a client's ids keep their leading zeros.
    ".csv": lambda path: pl.scan_csv(path, infer_schema=False),
    **dict.fromkeys(JSON_LINES, pl.scan_ndjson),
}
_TIME_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")

Mapped = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Shape:
    """One table layout of a data set and how its lines become events.

    `columns`: the columns that are read, with the types they are read as; of a time, naive means UTC.
    `rows`: from those columns and `row` (uint32, the line's number over all files) to one row per event with
    `ts` (int64, ms; null if it cannot be read). It runs once, over the whole table.
    `events`: from some of those rows to columns named as in the contract, and `topic`. It runs batch by
    batch.
    """

    columns: Mapping[str, pl.DataType]
    rows: Mapped
    events: Mapped


def timed_by(column: str) -> Mapped:
    """One event per line, at the time in `column`."""

    def rows(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(ts=pl.col(column).dt.epoch("ms")).drop(column)

    return rows


class TableSource:
    """Events made from the rows of a table in memory, batch by batch.

    `times`: int64, ms, one per row, null where a row has none: it then stays beside its neighbours, so that
    it is judged where it was found.
    """

    def __init__(self, rows: pl.DataFrame, times: pl.Series, events: Mapped, encode: Encode = json_values) -> None:
        self._rows = rows
        self._events = events
        self._encode = encode
        known = times.fill_null(strategy="forward").fill_null(strategy="backward").fill_null(0)
        self.times: npt.NDArray[np.int64] = known.to_numpy()

    def take(self, events: npt.NDArray[np.int64]) -> RecordedBatch:
        """The events at these positions, in this order."""
        return recorded(self._events(self._rows[events]), self.times[events], self._encode)


def table_sources(files: Sequence[Path], kind: str, shapes: Sequence[Shape]) -> list[TableSource]:
    """One source for each shape that occurs; of two shapes that fit, the earlier one is taken.

    Raises UsageProblem if a file fits no shape or cannot be read.
    """
    tables: dict[int, list[pl.LazyFrame]] = {}
    for path in files:
        table = scan(path)
        found = table.collect_schema().names()
        index = _fitting(shapes, found)
        if index is None:
            expected = " or ".join(", ".join(shape.columns) for shape in shapes)
            raise UsageProblem(f"{path} is no {kind} file: it has {', '.join(found)}; expected {expected}")
        tables.setdefault(index, []).append(table.select(typed(shapes[index].columns, table)))
    return [_source(parts, shapes[index], kind) for index, parts in tables.items()]


def scan(path: Path) -> pl.LazyFrame:
    """The table in a file, not yet read. Raises UsageProblem if there is none."""
    scanner = _SCANNERS.get(path.suffix.lower())
    if scanner is None:
        known = ", ".join(_SCANNERS)
        raise UsageProblem(f"{path}: its format is not known by its name; use one that ends in {known}")
    if not path.is_file():
        raise UsageProblem(f"{path} does not exist or is no file")
    try:
        table = scanner(path)
        table.collect_schema()
    except PolarsError as error:
        raise UsageProblem(f"{path} cannot be read as {path.suffix}: {error}") from error
    return table


def collected(table: pl.LazyFrame, kind: str) -> pl.DataFrame:
    """The table, read. Raises UsageProblem if its bytes are damaged."""
    try:
        return table.collect()
    except PolarsError as error:
        raise UsageProblem(f"a {kind} file cannot be read: {error}") from error


def _fitting(shapes: Sequence[Shape], found: Sequence[str]) -> int | None:
    return next((index for index, shape in enumerate(shapes) if set(shape.columns) <= set(found)), None)


def _source(parts: Sequence[pl.LazyFrame], shape: Shape, kind: str) -> TableSource:
    rows = shape.rows(collected(pl.concat(parts), kind).with_row_index("row"))
    return TableSource(rows, rows["ts"], shape.events)


def typed(columns: Mapping[str, pl.DataType], table: pl.LazyFrame) -> list[pl.Expr]:
    """The ``columns`` of a table, each as the type that it is to be read as."""
    schema = table.collect_schema()
    return [_as_type(name, schema[name], wanted) for name, wanted in columns.items()]


def _as_type(name: str, found: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if wanted != TIME:
        return column.cast(wanted, strict=False)
    if isinstance(found, pl.String):
        return _parsed_time(column)
    if isinstance(found, pl.Datetime) and found.time_zone is not None:
        return column.dt.convert_time_zone("UTC").cast(TIME)
    return column.cast(pl.Datetime("ms"), strict=False).dt.replace_time_zone("UTC")


def _parsed_time(column: pl.Expr) -> pl.Expr:
    plain = column.str.replace(r"( ?UTC|Z|\+00:?00)$", "").str.replace("T", " ", literal=True)
    parsed = [plain.str.to_datetime(form, strict=False, time_unit="ms") for form in _TIME_FORMATS]
    return pl.coalesce(*parsed).dt.replace_time_zone("UTC")
