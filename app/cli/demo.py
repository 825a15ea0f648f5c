"""``sluice demo``: the whole thing on one machine."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import json_option, open_settings, setting_option
from app.cli.output import report
from app.replay.adapters.registry import ADAPTERS


@click.command()
@click.option("--events", type=click.IntRange(1), default=30_000, show_default=True, help="events of the shop, about")
@click.option("--rate", type=click.FloatRange(1), default=1_000, show_default=True, help="of them per second")
@click.option("--seed", type=int, default=1, show_default=True, help="makes the shop")
@click.option(
    "--workers",
    "count",
    type=click.IntRange(1, 8),
    default=min(2, max(1, (os.cpu_count() or 1) // 2)),
    show_default="1, with four cores 2",
    help="worker processes",
)
@click.option(
    "--data",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="recorded events to play before the shop, as fast as possible; may be given more than once",
)
@click.option("--as", "kind", type=click.Choice(list(ADAPTERS)), default="native", show_default=True, help="their kind")
@setting_option("model_repository", "DIR")
@json_option
def demo(
    events: int,
    rate: float,
    seed: int,
    count: int,
    files: Sequence[Path],
    kind: str,
    model_repository: str | None,
    as_json: bool,
) -> None:
    """Start Kafka and workers, play a simulated shop, and sum up what came of it.

    Kafka runs on a free port with its data in a temporary folder; when the demo ends, also by Ctrl-C, nothing of it
    stays. Where it fails, the logs stay, and their folder is shown.
    """
    from app.demo.figures import figures
    from app.demo.run import Plan, run
    from app.demo.screen import Screen
    from app.demo.workers import WorkerEnded
    from app.kafka.devbroker import DevelopmentBrokerError
    from app.replay.recording import open_recording

    settings = open_settings(model_repository=model_repository)
    recording = open_recording(files, kind) if files else None
    screen = Screen()
    try:
        ended = run(Plan(recording, events, rate, seed, count, settings), screen)
    except DevelopmentBrokerError as problem:
        raise UsageProblem(str(problem)) from problem
    except WorkerEnded as problem:
        raise click.ClickException(str(problem)) from problem
    found = figures(ended)
    if as_json:
        report(found, as_json)
    else:
        screen.summary(found, ended.outcome.caught(ended.played.truth), ended.outcome.examples)
