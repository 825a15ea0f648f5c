"""``sluice evaluate intent``: the model of clicks on days after those that trained it."""

from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import (
    json_option,
    lifetimes_of,
    model_named,
    open_settings,
    public_sets_option,
    setting_option,
    training_libraries,
)
from app.cli.output import report


@click.command()
@click.option(
    "--set",
    "name",
    type=click.Choice(["taobao", "retailrocket", "eshop", "shop"]),
    default="taobao",
    show_default=True,
    help="the data set; `shop` is simulated",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="a file of the set's columns, scored whole, instead of the set's own last days",
)
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    help="with --data: what happened before, replayed first and not measured  [default: the set's own days, if the "
    "file goes on after them]",
)
@click.option("--cold", is_flag=True, help="with --data: begin without any history")
@click.option("--model", metavar="NAME/VERSION", help="the model  [default: the newest version of intent]")
@public_sets_option("--sets", ", from which the baselines learn")
@setting_option("model_repository", "DIR")
@json_option
def intent(
    name: str,
    data: Path | None,
    history: Path | None,
    cold: bool,
    model: str | None,
    sets: Path,
    model_repository: str | None,
    as_json: bool,
) -> None:
    """Measure the intent model, event by event as a worker scores them, beside the prior, a logistic regression and
    gradient-boosted trees on the same features."""
    settings = open_settings(model_repository=model_repository)
    if data is None and (history is not None or cold):
        raise UsageProblem("--history and --cold are about the file of --data; name that too")
    if history is not None and cold:
        raise UsageProblem("--cold begins without what --history names; leave one of them out")
    with training_libraries():
        from app.evaluation.intent_runs import Wanted, figures_of
    wanted = Wanted(name, data, history, cold, sets, settings.model_repository, *model_named(model, "intent"))
    report(figures_of(wanted, lifetimes_of(settings)), as_json)
