"""The table of variants, for people: on a terminal, and in the report beside the model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.optimise.comparing import MAY_LOSE, MAY_MOVE, RULE, Measured, Outcome

TITLE: Final = "## Smaller and faster"

_COLUMNS: Final = ("variant", "KiB", "µs at 1", "µs at 64", "µs at 1,024", "rows/s", "cost", "worst loss", "moves")


def show(outcome: Outcome) -> None:
    """Print the table on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    variants, chosen = outcome.variants, outcome.chosen
    names, grid = _metrics(variants), Table(box=None, pad_edge=False)
    grid.add_column("", no_wrap=True)
    for one in variants:
        grid.add_column(one.name, justify="right", overflow="fold", style="bold" if one is chosen else "")
    for place, column in enumerate(_COLUMNS[1:], start=1):
        grid.add_row(column, *(Text(_cells(one, variants[0])[place]) for one in variants))
    for name, metric in names:
        grid.add_row(f"{name} {metric}", *(Text(f"{one.figures[name][metric]:.4f}") for one in variants))
    console.print(grid)
    console.print(Text(_verdict(variants[0], chosen), style="bold"))
    console.print(Text(RULE))
    if outcome.stored:
        console.print(Text(f"It is stored as version {outcome.stored}."))


def told(outcome: Outcome) -> dict[str, object]:
    """The same for programs."""
    original = outcome.variants[0]
    variants = {
        one.name: {
            "how": one.how,
            "bytes": one.size,
            "latency_us": {str(rows): round(seconds * 1e6, 1) for rows, seconds in one.seconds.items()},
            "rows_per_second": round(one.rows_per_second),
            "cost": round(one.cost(original), 3),
            "worst_loss": round(one.loss(original), 4),
            "moves": one.moves,
            "metrics": one.figures,
        }
        for one in outcome.variants
    }
    return {"best": outcome.chosen.name, "stored": outcome.stored, "rule": RULE, "variants": variants}


def section(variants: Sequence[Measured], chosen: Measured) -> str:
    """The same as a part of a report in Markdown."""
    original = variants[0]
    lines = [TITLE, "", RULE, "", *_table(_COLUMNS, [_cells(one, original) for one in variants]), ""]
    lines += ["One thread of a CPU; the original's cost is 1. A loss below 0 is a gain.", ""]
    names = _metrics(variants)
    figures = [
        [f"{name} {metric}", *(f"{one.figures[name][metric]:.4f}" for one in variants)] for name, metric in names
    ]
    lines += _table(["", *(one.name for one in variants)], figures)
    lines += ["", *(f"- {one.name}: {one.how}" for one in variants), "", _verdict(original, chosen), ""]
    return "\n".join(lines)


def put_into(report: Path, part: str) -> None:
    """Put ``part`` at the end of a report, in place of an older one."""
    text = report.read_text(encoding="utf-8") if report.is_file() else ""
    before = text.split(TITLE)[0].rstrip()
    report.write_text(f"{before}\n\n{part}" if before else part, encoding="utf-8")


def _verdict(original: Measured, chosen: Measured) -> str:
    if chosen is original:
        return "The best trade-off is the original: no variant keeps every metric and costs noticeably less."
    return f"The best trade-off is {chosen.name}: {chosen.how}."


def _cells(one: Measured, original: Measured) -> list[str]:
    micros = (f"{seconds * 1e6:,.1f}" for seconds in one.seconds.values())
    loss, moves = one.loss(original), one.moves
    return [
        one.name,
        f"{one.size / 1024:,.1f}",
        *micros,
        f"{one.rows_per_second:,.0f}",
        f"{one.cost(original):.2f}",
        f"{loss:.4f}" + (" (too much)" if loss > MAY_LOSE + 1e-9 else ""),
        f"{moves:.1e}" + (" (too much)" if moves > MAY_MOVE else ""),
    ]


def _metrics(variants: Sequence[Measured]) -> list[tuple[str, str]]:
    return [(name, metric) for name, metrics in variants[0].figures.items() for metric in metrics]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
