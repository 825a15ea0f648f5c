"""``sluice bench``: how fast this machine is."""

import click

from app.cli.options import json_option
from app.cli.output import report


@click.command()
@click.option("--events", default=1_000_000, show_default=True, help="events of the backlog")
@click.option("--seconds", default=30, show_default=True, help="seconds of each latency measurement; 0 leaves them out")
@click.option("--guarantee", default="at_least_once", show_default=True, help="the guarantee of the worker")
@json_option
def bench(events: int, seconds: int, guarantee: str, as_json: bool) -> None:
    """Measure events per CPU-second of a worker, and output latency, on a development broker of its own.

    The worker's CPU time is user and system time of its process from when it is set up (models loaded) to its end.
    """
    from app.bench.run import bench as run

    figures = run(events, seconds, ["--guarantee", guarantee], guarantee, lambda line: click.echo(line, err=True))
    report(figures, as_json)
