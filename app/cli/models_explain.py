"""``sluice models explain``: why recorded clicks are scored as they are."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from app.cli.options import json_option, open_settings, setting_option
from app.cli.output import report
from app.cli.replay import progress
from app.replay.adapters.registry import ADAPTERS
from app.replay.recording import open_recording

if TYPE_CHECKING:
    from app.explain.recorded import Explanation, Why


@click.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--as", "kind", type=click.Choice(list(ADAPTERS)), default="native", show_default=True, help="data set")
@click.option("--event", "events", metavar="ID", multiple=True, help="a click to explain; may be given several times")
@click.option(
    "--top",
    type=click.IntRange(1, 1_000),
    default=5,
    show_default=True,
    help="without --event: explain so many clicks, those whose purchase is most probable",
)
@click.option(
    "--pairs",
    type=click.IntRange(1, 1_000),
    default=8,
    show_default=True,
    help="orders in which inputs are added, each with its reverse: more cost more and err less",
)
@click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="of the reasons; JSON has both"
)
@setting_option("model_repository", "DIR")
@setting_option("intent_model", "NAME")
@setting_option("intent_version", "VERSION")
@json_option
def explain(
    files: Sequence[Path],
    kind: str,
    events: Sequence[str],
    top: int,
    pairs: int,
    language: str,
    as_json: bool,
    **flags: str | None,
) -> None:
    """Say which inputs moved the scores of recorded clicks most, compared with a new visitor's first page view.

    The recording goes through the very path of a worker, so that features, history and scores are those it would have
    published. An order's reasons are in its risk event already: `sluice replay --out DIR` writes them.
    """
    settings = open_settings(**flags)
    from app.explain.recorded import COMPARED_WITH, explanations, most_probable
    from app.worker.run import load_models

    models = load_models(settings)
    recording = open_recording(files, kind)
    with progress(recording.rows) as advance:
        ids = set(events) or asyncio.run(most_probable(recording, models, settings, top, advance))
        found = asyncio.run(explanations(open_recording(files, kind), models, settings, ids, pairs, advance))
    if missing := sorted(set(events) - {one.event_id for one in found}):
        raise click.ClickException(
            f"the recording has no scored click {', '.join(missing)}; "
            "name clicks by their event_id, as `sluice replay --out DIR` writes it into intent-events.jsonl"
        )
    found.sort(key=lambda one: -one.answers["purchase"].probability)
    head = {"model": f"{models.intent.name}/{models.intent.version}", "compared_with": COMPARED_WITH}
    if as_json:
        report(head | {"events": [msgspec.to_builtins(asdict(one)) for one in found]}, as_json)
    else:
        report(head | {one.event_id: _readable(one, language) for one in found}, as_json)


def _readable(one: "Explanation", language: str) -> dict[str, object]:
    return {
        f"{name if name == why.answer else f'{name}: {why.answer}'} {why.probability:.1%}": _lines(why, language)
        for name, why in one.answers.items()
    }


def _lines(why: "Why", language: str) -> dict[str, str]:
    told = {
        reason.text_zh if language == "zh" else reason.text: f"{reason.contribution:+.1f} points"
        for reason in why.reasons
    }
    return told | {"a first page view": f"{why.base:.1%}"}
