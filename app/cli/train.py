"""``sluice train``: the models from recorded data."""

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import json_option, lifetimes_of, open_settings, setting_option
from app.cli.output import report
from app.models.repository import versions


@click.command()
@click.argument("kind", type=click.Choice(["intent", "risk", "text"]))
@click.option("--quick", is_flag=True, help="a small training within a minute, to see that everything works")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("../shared/data"),
    show_default=True,
    help="folder of the public data sets",
)
@setting_option("model_repository", "DIR")
@json_option
def train(kind: str, quick: bool, data: Path, model_repository: str | None, as_json: bool) -> None:
    """Train KIND on recorded data and store it as the newest version.

    The past trains, the days after it choose, and the days after those measure; the figures stand in the manifest and
    the report beside the model.
    """
    settings = open_settings(model_repository=model_repository)
    try:
        from app.training.run import trained
    except ImportError as error:
        raise UsageProblem(
            f"training needs more libraries ({error}); install the extra `train`: pip install 'sluice[train]'"
        ) from error
    from app.training.progress import bars
    from app.training.storing import store

    started = time.monotonic()
    version = str(max(versions(settings.model_repository, kind), default=0) + 1)
    with bars() as reporter:
        model = trained(kind, data, version, _now(), lifetimes_of(settings), quick, reporter)
    folder = store(settings.model_repository, model)
    report(
        {
            "model": f"{kind}/{version}",
            "folder": folder,
            "seconds": round(time.monotonic() - started, 1),
            "metrics": model.manifest.metrics,
        },
        as_json,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
