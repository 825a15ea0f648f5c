"""``sluice torture``: kill workers and broker under load, and check everything that came of it."""

import logging

import click

from app.cli.options import json_option
from app.cli.output import report
from app.ops.settings import Guarantee


@click.command()
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10, show_default=True, help="of faults")
@click.option("--seed", type=int, default=1, show_default=True, help="fixes load and faults")
@click.option(
    "--guarantee",
    type=click.Choice(["exactly_once", "at_least_once"]),
    default="exactly_once",
    show_default=True,
    help="the guarantee of the workers",
)
@click.option("--rate", type=click.IntRange(10), default=1_000, show_default=True, help="events a second")
@json_option
@click.pass_context
def torture(ctx: click.Context, minutes: float, seed: int, guarantee: Guarantee, rate: int, as_json: bool) -> None:
    """Kill workers and broker under load, then check outputs and state against an undisturbed run.

    It starts a Kafka and three workers of its own. Exit code 1 if anything was lost, repeated, reordered or is unlike
    what it should be; then logs and data stay, and their folder is shown.
    """
    from app.torture.plan import Plan
    from app.torture.run import torture as run

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that a broker is gone is no news here
    found = run(Plan(minutes, seed, guarantee, rate), lambda line: click.echo(line, err=True))
    report(found, as_json)
    if found["verdict"] == "fail":
        ctx.exit(1)
