"""How far a training or a backtest got: bars on standard error, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int], None]


class Reporter(Protocol):
    """Who is told how far something long got."""

    def stage(self, title: str, total: int | None = None) -> Advance:
        """Begin a stage of ``total`` steps, None if unknown; the answer is called with the number of steps made."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, title: str, total: int | None = None) -> Advance:
        """See `Reporter`."""
        return lambda steps: None


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def stage(self, title: str, total: int | None = None) -> Advance:
        task = self._progress.add_task(title, total=total)
        return lambda steps: self._progress.advance(task, steps)


@contextmanager
def bars() -> Iterator[Reporter]:
    """A reporter that draws bars on standard error if that is a terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    times = TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, *times, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        yield _Bars(progress)
