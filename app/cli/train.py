"""``sluice train``: the models from recorded data."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from app.cli.errors import UsageProblem
from app.cli.options import (
    broker_option,
    json_option,
    label_days_option,
    lifetimes_of,
    open_settings,
    public_sets_option,
    setting_option,
    training_libraries,
)
from app.cli.output import report
from app.models.manifest import Kind
from app.models.repository import versions
from app.ops.settings import Settings
from app.state.rows import HIDDEN_UNITS


@click.command()
@click.argument("kind", type=click.Choice(["intent", "risk", "payments", "text"]))
@click.option("--quick", is_flag=True, help="a small training, to see that everything works")
@click.option(
    "--units",
    type=click.IntRange(1, 4_096),
    default=HIDDEN_UNITS,
    show_default=True,
    help="intent: width of the recurrent state. Workers' rows have room for the default; a model of another width is "
    "named intent-UNITS, and is for `sluice bench --model`",
)
@public_sets_option("--data")
@click.option(
    "--from-topics",
    is_flag=True,
    help="learn from the input topics instead: a challenger beside the champion, which it is compared with on later "
    "days, and in whose shadow it is put",
)
@click.option("--champion", metavar="VERSION", help="with --from-topics: whom to challenge  [default: the newest]")
@label_days_option("with --from-topics: ")
@click.option("--verify", is_flag=True, help="with --from-topics: hold what was published against the replay")
@click.option("--shadow/--no-shadow", default=True, help="with --from-topics: put the challenger in shadow")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0), default=20.0, show_default=True, help="s to wait for the workers"
)
@broker_option
@setting_option("model_repository", "DIR")
@json_option
def train(kind: Kind, quick: bool, units: int, data: Path, from_topics: bool, as_json: bool, **flags: Any) -> None:  # noqa: ANN401
    """Train KIND on recorded data and store it as the newest version.

    The past trains, the days after it choose, and the days after those measure; the figures stand in the manifest and
    the report beside the model.
    """
    wanted = {name: flags.pop(name) for name in ("champion", "label_days", "verify", "shadow", "wait_s")}
    settings = open_settings(**flags)
    if from_topics and kind == "text":
        raise UsageProblem(
            "the topics tell what visitors did, not what their words meant; text is trained without --from-topics"
        )
    if units != HIDDEN_UNITS and (from_topics or kind != "intent"):
        raise UsageProblem("--units is for `sluice train intent` on recorded data; leave it out")
    with training_libraries():
        found = _learned(kind, quick, settings, wanted) if from_topics else _trained(kind, quick, units, data, settings)
    report(found, as_json)


def _trained(kind: Kind, quick: bool, units: int, data: Path, settings: Settings) -> dict[str, object]:
    from app.cards.writing import write_card
    from app.training.progress import bars
    from app.training.run import model_name, trained
    from app.training.storing import store

    started = time.monotonic()
    name = model_name(kind, units)
    version = str(max(versions(settings.model_repository, name), default=0) + 1)
    with bars() as reporter:
        model = trained(kind, data, version, _now(), lifetimes_of(settings), quick, reporter, units)
    folder = store(settings.model_repository, model)
    if not quick and units == HIDDEN_UNITS:
        with bars() as reporter:
            write_card(settings.model_repository, kind, version, data, lifetimes_of(settings), reporter)
    return {
        "model": f"{name}/{version}",
        "folder": folder,
        "seconds": round(time.monotonic() - started, 1),
        "metrics": model.manifest.metrics,
    }


def _learned(kind: Kind, quick: bool, settings: Settings, wanted: Mapping[str, Any]) -> dict[str, object]:
    from app.learning.run import Wanted, learned
    from app.training.progress import bars

    started = time.monotonic()
    with bars() as reporter:
        found = learned(Wanted(kind=kind, quick=quick, **wanted), settings, _now(), reporter)
    return found | {"seconds": round(time.monotonic() - started, 1)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
