"""``sluice bench``: how fast this machine is."""

import click

from app.cli.options import json_option, model_named, open_settings, setting_option
from app.cli.output import report


@click.command()
@click.option("--events", default=1_000_000, show_default=True, help="events of the backlog")
@click.option("--seconds", default=30, show_default=True, help="seconds of each latency measurement; 0 leaves them out")
@click.option("--guarantee", default="at_least_once", show_default=True, help="the guarantee of the worker")
@click.option("--model", metavar="NAME/VERSION", help="measure this model alone instead, by the size of the batch")
@setting_option("provider", "PROVIDER")
@setting_option("model_repository", "DIR")
@json_option
def bench(
    events: int,
    seconds: int,
    guarantee: str,
    model: str | None,
    provider: str | None,
    model_repository: str | None,
    as_json: bool,
) -> None:
    """Measure events per CPU-second of a worker, and output latency, on a development broker of its own.

    The worker's CPU time is user and system time of its process from when it is set up (models loaded) to its end.
    With --model, no broker and no worker: rows a second of one model, on the CPU or on CUDA.
    """
    settings = open_settings(provider=provider, model_repository=model_repository)
    if model is not None:
        from app.bench.model import bench_model

        report(bench_model(settings.model_repository, *model_named(model, "intent"), settings.provider), as_json)
        return
    from app.bench.run import bench as run

    figures = run(events, seconds, ["--guarantee", guarantee], guarantee, lambda line: click.echo(line, err=True))
    report(figures, as_json)
