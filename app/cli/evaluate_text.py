"""``sluice evaluate text``: the text model on the shopper test, its architecture on public sets."""

from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import (
    json_option,
    model_named,
    open_settings,
    public_sets_option,
    setting_option,
    training_libraries,
)
from app.cli.output import report
from app.ops.settings import Settings


@click.command()
@click.option(
    "--set",
    "name",
    type=click.Choice(["shopper", "clinc150", "banking77", "smp2017"]),
    default="shopper",
    show_default=True,
    help="the hand-written test, or a public set: that one trains a model of the same kind first, once",
)
@click.option(
    "--data", type=click.Path(path_type=Path, dir_okay=False), help="a file of the set's columns to measure instead"
)
@click.option("--model", metavar="NAME/VERSION", help="with shopper: the model  [default: the newest version of text]")
@public_sets_option("--sets")
@setting_option("model_repository", "DIR")
@json_option
def text(
    name: str, data: Path | None, model: str | None, sets: Path, model_repository: str | None, as_json: bool
) -> None:
    """Measure how well texts are understood, beside the most frequent label and linear models on TF-IDF."""
    settings = open_settings(model_repository=model_repository)
    with training_libraries():
        import app.evaluation.text_public  # noqa: F401
    if name == "shopper":
        report(_shopper(settings, data, model), as_json)
    elif model is not None:
        raise UsageProblem(f"--set {name} trains its own model; leave --model out, or measure --set shopper")
    else:
        report(_public(name, sets, data), as_json)


def _shopper(settings: Settings, data: Path | None, model: str | None) -> dict[str, object]:
    from app.evaluation.text_shopper import evaluate_shopper, read_shopper
    from app.models.text import read_text_model
    from app.training.text import SEED
    from app.training.text_sets import written_and_made

    examples = read_shopper(data)
    return evaluate_shopper(
        read_text_model(settings.model_repository, *model_named(model, "text")), examples, *written_and_made(SEED)
    )


def _public(name: str, sets: Path, data: Path | None) -> dict[str, object]:
    from app.evaluation.text_public import evaluate_public
    from app.evaluation.text_sets import PUBLIC
    from app.training.progress import bars

    with bars() as reporter:
        return evaluate_public(PUBLIC[name], sets, data, reporter)
