"""``sluice report``: a page about what was decided, and how right it was."""

from collections.abc import Sequence
from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import broker_option, json_option, open_settings
from app.cli.output import report as tell
from app.report.collected import Collected, Span
from app.report.page import page, when
from app.report.reading import read_folder, read_topics
from app.report.summary import Summary
from app.rules.times import instant
from schemas.events import EARLIEST_TS, END_TS


class Instant(click.ParamType):
    """A date or time."""

    name = "TIME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The time in ms."""
        try:
            return instant(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("--from", "start", type=Instant(), default=None, help="first event time (unset: the first there is)")
@click.option("--to", "end", type=Instant(), default=None, help="event time that is no longer in it")
@click.option(
    "--in",
    "folder",
    type=click.Path(path_type=Path),
    help="folder that `sluice replay --out` wrote, instead of the topics of the broker",
)
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path),
    help="native events with labels and orders, as JSON lines; with --in only, since the broker has them in topics",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True, help="the page")
@broker_option
@json_option
def report(
    start: int | None,
    end: int | None,
    folder: Path | None,
    labels: Sequence[Path],
    out: Path,
    broker: str | None,
    as_json: bool,
) -> None:
    """Write one HTML page: volumes, decisions, rules against labels, scores, who stands out, false positives."""
    settings = open_settings(broker=broker)
    if labels and folder is None:
        raise UsageProblem("--labels goes with --in; the broker has them in its topics")
    collected = Collected(Span(EARLIEST_TS if start is None else start, END_TS if end is None else end))
    if folder is not None:
        read_folder(folder, labels, collected)
    else:
        read_topics(settings.broker, collected)
    summary = Summary(collected)
    try:
        out.write_text(page(summary, _title(start, end)), encoding="utf-8")
    except OSError as error:
        raise UsageProblem(f"{out} cannot be written: {error.strerror}; name another file with --out") from None
    tell({"page": out} | summary.figures(), as_json)


def _title(start: int | None, end: int | None) -> str:
    since = f" from {when(start)}" if start is not None else ""
    until = f" to {when(end)}" if end is not None else ""
    return f"Risk report{since}{until}"
