"""Every command of the table loads, under its name, with a line of help."""

from pathlib import Path

import click
import pytest

from app.cli.main import COMMANDS

COMMAND_LINE = Path(__file__).resolve().parents[2] / "app" / "cli"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_loads_under_its_name(name: str) -> None:
    command = COMMANDS[name].load()
    assert isinstance(command, click.Command)
    assert command.name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_tells_its_help(name: str) -> None:
    assert COMMANDS[name].help.endswith(".")
    command = COMMANDS[name].load()
    assert command.get_short_help_str()
    shown = command.get_help(click.Context(command, info_name=f"sluice {name}"))
    assert shown.startswith(f"Usage: sluice {name}")


def test_no_file_with_a_command_is_left_out_of_the_table() -> None:
    """The files that make a command or a group at their top level are those that the table names."""
    marks = ("\n@click.command(", "\n@click.group(")
    files = {path.stem for path in COMMAND_LINE.glob("*.py") if any(mark in path.read_text() for mark in marks)}
    named = {command.target.partition(":")[0].rpartition(".")[2] for command in COMMANDS.values()}
    assert files - {"main"} == named
