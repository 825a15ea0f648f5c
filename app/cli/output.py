"""What a command reports: one JSON object for programs, a table for people; both on standard output."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import msgspec


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
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", overflow="fold")
    for name, value in _lines(msgspec.to_builtins(data, enc_hook=_plain)):
        table.add_row(Text(name), Text(_readable(value)))
    Console(soft_wrap=False).print(table)


def _lines(data: Mapping[str, object], indent: str = "") -> Iterator[tuple[str, object]]:
    for name, value in data.items():
        if isinstance(value, Mapping):
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
    return msgspec.json.encode(value).decode()
