"""Options made from settings."""

from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from app.cli.errors import UsageProblem
from app.cli.options import setting_option, training_libraries


@click.command()
@setting_option("max_idle_ms", "MS")
def show(max_idle_ms: str | None) -> None:
    click.echo(repr(max_idle_ms))


def test_a_setting_option_is_described_by_the_setting() -> None:
    text = " ".join(CliRunner().invoke(show, ["--help"]).output.split())
    assert "--max-idle-ms MS ms alignment waits for a topic that has no more records [default: 3]" in text


def test_a_setting_option_not_given_is_none_so_that_other_sources_count() -> None:
    assert CliRunner().invoke(show, []).output == "None\n"
    assert CliRunner().invoke(show, ["--max-idle-ms", "5"]).output == "'5'\n"


def test_without_the_libraries_of_training_one_line_says_what_to_install() -> None:
    with (
        pytest.raises(UsageProblem, match=r"No module named 'nowhere'.*pip install 'sluice\[train\]'"),
        training_libraries(),
    ):
        import_module("nowhere")
