"""Every command of the table loads, under its name, with a line of help."""

from pathlib import Path

import click
import pytest

from app.cli.evaluate import MODELS
from app.cli.main import COMMANDS
from app.cli.models import MORE

ROOT = Path(__file__).resolve().parents[2]


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
    files = [path for room in ("app/cli", "agents") for path in (ROOT / room).glob("*.py")]
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files if _has(path, marks)}
    named = {command.target.partition(":")[0] for command in (*COMMANDS.values(), *MODELS.values(), *MORE.values())}
    assert found - {"app.cli.main"} == named


def _has(path: Path, marks: tuple[str, ...]) -> bool:
    text = path.read_text()
    return any(mark in text for mark in marks)
