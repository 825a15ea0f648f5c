"""``sluice evaluate challenger``: a version in shadow against the one that serves, on what came since it was made."""

from datetime import UTC, datetime
from typing import Any, get_args

import click

from app.cli.errors import UsageProblem
from app.cli.options import (
    broker_option,
    json_option,
    label_days_option,
    open_settings,
    setting_option,
    training_libraries,
)
from app.cli.output import report
from app.models.manifest import Kind


@click.command()
@click.argument("model", metavar="KIND/VERSION")
@click.option("--champion", metavar="VERSION", help="the other one  [default: the newest version but it]")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]),
    help="UTC; what came before does not count  [default: when its data ended]",
)
@label_days_option()
@broker_option
@setting_option("model_repository", "DIR")
@json_option
def challenger(
    model: str,
    champion: str | None,
    since: datetime | None,
    label_days: float,
    as_json: bool,
    **flags: Any,  # noqa: ANN401
) -> None:
    """Compare a version with the one that serves, on what the topics have got since it was trained: promote or keep."""
    kind, version = _named(model)
    settings = open_settings(**flags)
    with training_libraries():
        from app.learning.rematch import Rematch, rematched
        from app.training.progress import bars
    begin = since.replace(tzinfo=UTC) if since else None
    with bars() as reporter:
        found = rematched(Rematch(kind, version, champion, begin, label_days), settings, reporter)
    report(found, as_json)


def _named(model: str) -> tuple[Kind, str]:
    kind, _, version = model.partition("/")
    kinds: dict[str, Kind] = {name: name for name in get_args(Kind) if name != "text"}
    if kind not in kinds or not version.isdecimal():
        raise UsageProblem(f"{model!r} is not KIND/VERSION, such as risk/2, of {' or '.join(kinds)}")
    return kinds[kind], version
