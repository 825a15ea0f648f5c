"""`sluice schema`: the contracts as documents."""

from pathlib import Path

import click

from schemas.documents import export


@click.group()
def schema() -> None:
    """JSON Schema and AsyncAPI documents of every topic."""


@schema.command("export")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def export_documents(directory: Path) -> None:
    """Write a JSON Schema for every event and one AsyncAPI 3.0 document into DIR."""
    try:
        written = export(directory)
    except OSError as error:
        raise click.ClickException(f"cannot write to {directory}: {error.strerror}") from error
    click.echo(f"{len(written)} documents written to {directory}", err=True)
