"""``sluice replay``: recorded events to Kafka, or through the pipeline into files without any broker."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.errors import UsageProblem
from app.cli.options import broker_option, json_option, open_settings, setting_option
from app.cli.output import report
from app.ops.settings import Settings
from app.replay.adapters.registry import ADAPTERS
from app.replay.pacing import EventTimePace, MonotonicClock, Pace
from app.replay.recorded import RecordedBatch, Recording
from app.replay.recording import open_recording
from app.replay.send import send

Advance = Callable[[int], None]
"""Called with the number of events done so far."""


class Speed(click.ParamType):
    """``max``, or how many times as fast as the events happened."""

    name = "max|N"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Pace | None:
        """The pace; None goes as fast as possible."""
        if value == "max":
            return None
        try:
            return EventTimePace(float(value))
        except ValueError:
            self.fail(f"{value!r} is neither 'max' nor a number above 0", param, ctx)


@click.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--as", "kind", type=click.Choice(list(ADAPTERS)), default="native", show_default=True, help="data set")
@click.option(
    "--speed",
    "pace",
    type=Speed(),
    metavar="max|N",
    default="max",
    show_default=True,
    help="N times as fast as the events happened",
)
@click.option(
    "--out",
    metavar="kafka|DIR",
    default="kafka",
    show_default=True,
    help="send the events to Kafka's input topics, or process them here and write DIR/<topic>.jsonl",
)
@broker_option
@setting_option("partitions", "N")
@setting_option("ruleset", "FILE")
@setting_option("model_repository", "DIR")
@json_option
def replay(
    files: Sequence[Path],
    kind: str,
    pace: Pace | None,
    out: str,
    as_json: bool,
    **flags: object,
) -> None:
    """Replay recorded events from Parquet, CSV or JSON lines; several files are one stream in order of event time.

    With --out kafka the events go to the input topics, for workers to process; the figures tell what was sent.

    With --out DIR the very path of a worker runs in this process without any broker. The outputs are those that workers
    of topics with --partitions partitions would publish, one JSON value a line; a dead letter's line also holds its key
    and headers. Files from an earlier replay are replaced. A session that is still open when the recording ends stays
    open, as it would live: it has no line in session-events.jsonl.
    """
    settings = open_settings(**flags)
    recording = open_recording(files, kind)
    with progress(recording.rows) as advance:
        if out == "kafka":
            figures = _to_kafka(recording, settings.broker, pace, advance)
        else:
            figures = _to_folder(recording, settings, Path(out), pace, advance)
    report(figures, as_json)


def _to_kafka(recording: Recording, broker: str, pace: Pace | None, advance: Advance) -> dict[str, object]:
    sent: Counter[str] = Counter()

    def counted() -> Iterator[RecordedBatch]:
        for batch in recording:
            sent.update(batch.topics)
            yield batch

    started = time.monotonic()
    events = asyncio.run(send(counted(), broker, pace=pace, on_progress=advance))
    seconds = time.monotonic() - started
    return {
        "events_in": events,
        "outputs": dict(sorted(sent.items())),
        "dead_letters": {},
        "seconds": round(seconds, 3),
        "events_per_second": round(events / seconds) if seconds > 0 else 0,
    }


def _to_folder(
    recording: Recording, settings: Settings, folder: Path, pace: Pace | None, advance: Advance
) -> dict[str, object]:
    # What runs the models takes longer to import than a small file takes to send.
    from app.fanout.local import LocalFanOut
    from app.replay.files import TopicFiles
    from app.replay.run import replay as steps
    from app.tally import Tally
    from app.worker.assembly import build_pipeline, now_ms
    from app.worker.run import load_models

    unwaiting = settings.model_copy(update={"max_idle_ms": 0})
    models = load_models(settings)
    fan_out = LocalFanOut(settings.partitions, models.velocities, settings.max_value_bytes)
    pipeline = build_pipeline(unwaiting, models, settings.partitions, fan_out.joiners)
    tally = Tally()

    async def run() -> None:
        async for work in steps(recording, pipeline, settings.partitions, now_ms, MonotonicClock(), pace, fan_out):
            outputs.write(work.outgoing)
            tally.add(work)
            advance(tally.events_in)

    started = time.monotonic()
    try:
        with TopicFiles(folder) as outputs:
            asyncio.run(run())
    except OSError as problem:
        raise UsageProblem(f"cannot write to {folder}: {problem.strerror}; name another folder with --out") from None
    return tally.report(time.monotonic() - started)


@contextmanager
def progress(rows: int | None) -> Iterator[Advance]:
    """A bar for so many events on standard error, on a terminal only."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("events", total=rows)
        yield lambda done: bar.update(task, completed=done)
