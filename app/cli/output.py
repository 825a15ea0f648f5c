"""What a command reports: one JSON object for programs, a table for people; both on standard output."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard

import click
import msgspec

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

_FEWEST_ROWS: Final = 2


def report(data: Mapping[str, object], as_json: bool) -> None:
    """Print ``data``, a mapping of figures that may nest.

    Raises:
        TypeError: a value is neither JSON-like, a dataclass, a NumPy scalar nor a path.
    """
    if as_json:
        click.echo(msgspec.json.encode(data, enc_hook=_plain).decode())
    else:
        _table(data)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a report cannot hold a {type(value).__name__}: {value!r}")


def _table(data: Mapping[str, object]) -> None:
    # Rich takes longer to import than --json takes to print.
    from rich.console import Console

    console = Console(soft_wrap=False)
    console.print(_lines_of(_lines(msgspec.to_builtins(data, enc_hook=_plain))))


def _lines_of(lines: Iterator[tuple[str, object]]) -> "Group":
    """Names and their values below each other; what is a table in itself stands below its name."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    current: Table | None = None
    for name, value in lines:
        if current is None:
            current = Table(show_header=False, box=None, pad_edge=False)
            current.add_column(overflow="fold")
            current.add_column(justify="right", overflow="fold")
            parts.append(current)
        if _is_table(value):
            current.add_row(Text(name), "")
            parts.append(Padding(_rows_of(value), (0, 0, 0, len(name) - len(name.lstrip()) + 2)))
            current = None
        else:
            current.add_row(Text(name), Text(_readable(value)))
    return Group(*parts)


def _rows_of(value: Mapping[str, Mapping[str, object]]) -> "Table":
    """A row for each, and a column for each of the names that all have."""
    from rich.table import Table
    from rich.text import Text

    columns = list(next(iter(value.values())))
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(["", *columns]):
        table.add_column(Text(name), justify="right" if place else "left", overflow="fold", no_wrap=not place)
    for name, row in value.items():
        table.add_row(Text(name), *(Text(_readable(row[column])) for column in columns))
    return table


def _is_table(value: object) -> TypeGuard[Mapping[str, Mapping[str, object]]]:
    """Whether all of several have the same names."""
    if not isinstance(value, Mapping) or len(value) < _FEWEST_ROWS:
        return False
    rows = list(value.values())
    return all(isinstance(row, Mapping) and row and row.keys() == rows[0].keys() for row in rows)


def _lines(data: Mapping[str, object], indent: str = "") -> Iterator[tuple[str, object]]:
    for name, value in data.items():
        if isinstance(value, Mapping) and not _is_table(value):
            yield indent + name, ""
            yield from _lines(value, indent + "  ")
        else:
            yield indent + name, value


def _readable(value: object) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_readable(each)}" for name, each in value.items() if each != {}) or "–"
    return "–" if value is None else msgspec.json.encode(value).decode()
