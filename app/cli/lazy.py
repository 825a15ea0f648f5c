"""Groups of commands that are imported only when they are used."""

import importlib
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import click


class Lazy(NamedTuple):
    """A command that is imported when it is used: ``module:attribute``, and its line in the help."""

    target: str
    help: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


class LazyGroup(click.Group):
    """A group of the commands in ``lazy``, which a subclass names, after those that were added to it; its help imports
    none of the lazy ones."""

    lazy: ClassVar[Mapping[str, Lazy]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order they were given."""
        return [*self.commands, *self.lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now if it is lazy; None where there is none of that name."""
        return self.lazy[cmd_name].load() if cmd_name in self.lazy else super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line per command."""
        lines = [(name, command.get_short_help_str(formatter.width)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*lines, *((name, command.help) for name, command in self.lazy.items())])
