"""What is to be measured: a public set's own days, or a file behind that of what happened before it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from app.cli.errors import UsageProblem
from app.replay.adapters.tables import Shape, scan, typed


@dataclass(frozen=True)
class Wanted:
    """What to measure: the days that the set is measured on, or all of the file ``data`` after what ``history`` tells.

    ``sets`` is the folder of the public data sets, ``version`` None the newest of model ``model``.
    """

    data: Path | None
    history: Path | None
    sets: Path
    repository: Path
    model: str
    version: str | None


@contextmanager
def behind(data: Path, history: Path | None, shape: Shape, time: str) -> Iterator[tuple[Path, datetime]]:
    """A file of the rows of ``data`` behind those of ``history`` that lie before them, and when its own begin.

    Args:
        data: what is to be measured.
        history: what happened before, None if nothing is known.
        shape: of both tables.
        time: the column that says when.

    Raises:
        UsageProblem: a file is not there, not of its kind, or ``data`` has no row with a time.
    """
    own = scan(data).select(typed(shape.columns, scan(data))).collect()
    start = own[time].min()
    if not isinstance(start, datetime):
        raise UsageProblem(f"{data} has no row with a time in {time}")
    parts = [own]
    if history is not None:
        before = scan(history).select(typed(shape.columns, scan(history)))
        parts.insert(0, before.filter(pl.col(time) < start).collect())
    with TemporaryDirectory(prefix="sluice-measured-") as folder:
        path = Path(folder) / "rows.parquet"
        pl.concat(parts).write_parquet(path)
        yield path, start.replace(tzinfo=UTC)
