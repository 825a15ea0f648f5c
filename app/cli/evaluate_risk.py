"""``sluice evaluate risk``: what is said of orders of public sets, on days that trained nothing."""

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
    type=click.Choice(["payments_handbook", "fraud_ecommerce"]),
    default="payments_handbook",
    show_default=True,
    help="the data set",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="a file of the set's columns, all of whose orders are measured, instead of the set's own measured days",
)
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    help="with --data: what happened before, streamed first and not measured  [default: the set's own file]",
)
@click.option(
    "--model",
    metavar="NAME/VERSION",
    help="the model  [default: the newest version of payments, or of risk for fraud_ecommerce]",
)
@public_sets_option("--sets")
@setting_option("model_repository", "DIR")
@json_option
def risk(
    name: str,
    data: Path | None,
    history: Path | None,
    model: str | None,
    sets: Path,
    model_repository: str | None,
    as_json: bool,
) -> None:
    """Measure what is said of orders, order by order as the velocities stream, beside simple baselines and what was
    published: the payment model on payments_handbook; rules that find rings, and models by time, on fraud_ecommerce."""
    settings = open_settings(model_repository=model_repository)
    if history is not None and data is None:
        raise UsageProblem("--history comes before the file of --data; name that too")
    with training_libraries():
        from app.evaluation import first_orders, payments
        from app.evaluation.files import Wanted
    is_handbook = name == "payments_handbook"
    named = model_named(model, "payments" if is_handbook else "risk")
    wanted = Wanted(data, history, sets, settings.model_repository, *named)
    found = payments.figures_of(wanted) if is_handbook else first_orders.figures_of(wanted, lifetimes_of(settings))
    report(found, as_json)
