"""``sluice evaluate ab``: two versions of a model that shared the users, by what came true."""

from collections.abc import Sequence
from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import broker_option, json_option, label_days_option, open_settings, training_libraries
from app.cli.output import report
from app.models.manifest import Kind
from app.replay.adapters.registry import ADAPTERS

_DAY_MS = 86_400_000


@click.command()
@click.argument("kind", type=click.Choice(["intent", "risk"]))
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="a folder that `sluice replay --out DIR` wrote  [default: the topics of the broker]",
)
@click.option(
    "--inputs",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="with --out: the files that were replayed, for their purchases and labels",
)
@click.option(
    "--as", "adapter", type=click.Choice(list(ADAPTERS)), default="native", show_default=True, help="of --inputs"
)
@click.option("--control", metavar="VERSION", help="the arm to compare with  [default: the older of the two]")
@click.option("--treatment", metavar="VERSION", help="the arm that is compared")
@label_days_option()
@broker_option
@json_option
def ab(
    kind: Kind,
    folder: Path | None,
    inputs: Sequence[Path],
    adapter: str,
    control: str | None,
    treatment: str | None,
    label_days: float,
    broker: str | None,
    as_json: bool,
) -> None:
    """Compare two arms of an experiment: two versions of the model KIND, each of which scored users of its own.

    The arm stands in every output: `model.version`. Differences come with 95 % intervals over users, and a verdict.
    """
    settings = open_settings(broker=broker)
    if inputs and folder is None:
        raise UsageProblem("--inputs belongs to --out; the topics hold their inputs themselves")
    with training_libraries():
        from app.learning.ab import Question, experiment
        from app.learning.ab_runs import from_folder, from_topics
    published = from_topics(settings.broker) if folder is None else from_folder(folder, inputs, adapter)
    report(experiment(published, Question(kind, control, treatment, round(label_days * _DAY_MS))), as_json)
