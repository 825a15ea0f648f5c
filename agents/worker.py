"""``sluice worker``: run the agents until stopped."""

import click

from app.cli.options import broker_option, json_option, open_settings, setting_option
from app.cli.output import report


@click.command()
@broker_option
@setting_option("instance", "NAME")
@setting_option("state_dir", "DIR")
@setting_option("guarantee", "exactly_once|at_least_once")
@setting_option("group", "NAME")
@setting_option("ruleset", "FILE")
@setting_option("model_repository", "DIR")
@setting_option("http_port", "PORT")
@click.option("--until-end", is_flag=True, help="leave once everything was processed that is there at the start")
@json_option
def worker(until_end: bool, as_json: bool, **flags: object) -> None:
    """Process clicks, orders and labels into intent, risk, decisions and alerts."""
    from agents.events import register
    from app.worker.run import run_worker

    figures = run_worker(open_settings(**flags), register, until_end)
    if until_end or as_json:
        report(figures, as_json)
