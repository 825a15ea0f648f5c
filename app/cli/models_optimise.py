"""``sluice models optimise``: smaller and faster variants of a model, beside it."""

from datetime import UTC, datetime
from pathlib import Path

import click

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

_SETS = ("taobao", "retailrocket", "shop")


@click.command()
@click.argument("model", metavar="[NAME/VERSION]", default="intent")
@click.option(
    "--set",
    "sets",
    type=click.Choice([*_SETS, "eshop"]),
    multiple=True,
    default=_SETS,
    show_default=True,
    help="clicks to make and measure variants with; may be repeated, `shop` is simulated",
)
@click.option("--keep", is_flag=True, help="store the best as a new version, unless that is the original")
@public_sets_option("--data")
@setting_option("model_repository", "DIR")
@json_option
def optimise(
    model: str, sets: tuple[str, ...], keep: bool, data: Path, model_repository: str | None, as_json: bool
) -> None:
    """Make int8, pruned and distilled variants of a model (intent or text; its newest version that is no variant where
    none is named), measure them beside it, and write the table into its report."""
    with training_libraries():
        from app.optimise.run import asked
        from app.optimise.shown import show, told
    settings = open_settings(model_repository=model_repository)
    named, created = model_named(model, "intent"), datetime.now(UTC).isoformat(timespec="seconds")
    outcome = asked(settings.model_repository, *named, sets, data, lifetimes_of(settings), keep, created)
    if as_json:
        report(told(outcome), as_json)
    else:
        show(outcome)
