"""``sluice models card``: the card of a version, its figures by group measured anew."""

from dataclasses import asdict
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
from app.models.repository import versions


@click.command()
@click.argument("model", metavar="NAME/VERSION")
@public_sets_option("--data", "; those that are not there are left out")
@click.option("--measure/--no-measure", default=True, help="measure the figures by group, or leave them out")
@setting_option("model_repository", "DIR")
@json_option
def card(model: str, data: Path, measure: bool, model_repository: str | None, as_json: bool) -> None:
    """Write NAME/VERSION's card.md: what it is for and not for, data, licences, figures by group, limits.

    The groups are new and old visitors or accounts, countries, and languages, where a set has them.
    """
    settings = open_settings(model_repository=model_repository)
    name, version = model_named(model, "intent")
    known = [str(one) for one in versions(settings.model_repository, name)]
    if not known or (version is not None and version not in known):
        raise UsageProblem(
            f"there is no {model} in {settings.model_repository}; `sluice models list` shows what there is"
        )
    with training_libraries():
        from app.cards.writing import write_card
        from app.training.progress import bars
    with bars() as reporter:
        path, groups = write_card(
            settings.model_repository,
            name,
            version or known[-1],
            data,
            lifetimes_of(settings),
            reporter if measure else None,
        )
    if as_json:
        report({"card": path, "groups": [asdict(one) for one in groups]}, as_json)
    else:
        report({"card": path, "groups": len(groups)}, as_json)
