"""How a command says that it was used or configured wrongly."""

from typing import IO, Any

import click


class UsageProblem(click.ClickException):
    """Wrong usage or configuration: one line on standard error that says what to change, exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as one line to `file`, or to standard error."""
        click.echo(f"sluice: {' '.join(self.message.split())}", file=file, err=file is None)
