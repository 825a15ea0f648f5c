"""``sluice evaluate risk``: the payment model on the handbook's protocol, or on days that come after it."""

from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import json_option, model_named, open_settings, setting_option
from app.cli.output import report


@click.command()
@click.option(
    "--set",
    "name",
    type=click.Choice(["payments_handbook"]),
    default="payments_handbook",
    show_default=True,
    help="the data set",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="a file of the set's columns, all of whose payments are measured, instead of the handbook's test week",
)
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    help="with --data: what happened before, streamed first and not measured  [default: the set's own file]",
)
@click.option("--model", metavar="NAME/VERSION", help="the model  [default: the newest version of payments]")
@click.option(
    "--sets",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("../shared/data"),
    show_default=True,
    help="folder of the public data sets",
)
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
    """Measure the payment model, payment by payment as the velocities stream, beside the prior, a logistic regression
    on the same features and the handbook's published models."""
    settings = open_settings(model_repository=model_repository)
    if history is not None and data is None:
        raise UsageProblem("--history comes before the file of --data; name that too")
    try:
        from app.evaluation.payments import Wanted, figures_of
    except ImportError as error:
        raise UsageProblem(
            f"measuring needs more libraries ({error}); install the extra `train`: pip install 'sluice[train]'"
        ) from error
    named = model_named(model, "payments")
    report(figures_of(Wanted(data, history, sets, settings.model_repository, *named)), as_json)
