"""Commands that end in every way a command can end."""

import click

from app.cli.errors import UsageProblem
from app.cli.options import broker_option, json_option, open_settings
from app.cli.output import report


@click.group()
def broken() -> None:
    """Ends as asked."""


@broken.command()
def wrong() -> None:
    raise UsageProblem("the topic clicks has 4 partitions, not 8:\nuse --partitions 4")


@broken.command()
def crash() -> None:
    raise RuntimeError("the disk is gone")


@broken.command()
def failed() -> None:
    raise click.ClickException("2 of 3 files could not be read")


@broken.command()
def interrupted() -> None:
    raise KeyboardInterrupt


@broken.command()
@click.pass_context
def leaves(context: click.Context) -> None:
    context.exit(7)


@broken.command()
@broker_option
@json_option
def figures(broker: str | None, as_json: bool) -> None:
    import structlog

    settings = open_settings(broker=broker)
    structlog.get_logger(__name__).info("a log line")
    report({"broker": settings.broker, "outputs": {"intent-events": 12345}}, as_json)


@broken.command()
def quiet() -> None:
    import structlog

    structlog.get_logger(__name__).warning("logged before any settings were read")
