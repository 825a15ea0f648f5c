"""`sluice kafka`: a real single-node Apache Kafka for development."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app.cli.errors import UsageProblem
from app.cli.options import json_option
from app.cli.output import report
from app.kafka.devbroker import DevelopmentBroker, DevelopmentBrokerError
from app.kafka.devbroker.folders import data_folder

DEFAULT_PORT = 9092

port_option = click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help=f"the port that clients use  [default: that of the running broker, else {DEFAULT_PORT}]",
)
data_option = click.option(
    "--data",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="where the broker keeps its topics and log  [default: sluice/kafka/PORT in the user's data folder]",
)


@click.group()
def kafka() -> None:
    """A real single-node Apache Kafka for development, on the loopback interface."""


@kafka.command()
@port_option
@data_option
@json_option
def start(port: int | None, data: Path | None, as_json: bool) -> None:
    """Start the broker and leave it running; done once it answers."""
    began = time.monotonic()
    with _problems_as_usage():
        broker = _broker(port, data)
        started = broker.start()
    if as_json:
        found = {"address": broker.address, "started": started, "data": broker.data, "log": broker.log_file}
        report(found | {"seconds": round(time.monotonic() - began, 3)}, as_json)
    else:
        click.echo(broker.address)
        click.echo("Kafka is up" if started else "Kafka was already running", err=True)


@kafka.command()
@port_option
@data_option
@json_option
def stop(port: int | None, data: Path | None, as_json: bool) -> None:
    """Stop the broker; its topics stay."""
    with _problems_as_usage():
        stopped = _broker(port, data).stop()
    if as_json:
        report({"stopped": stopped}, as_json)
    else:
        click.echo("Kafka has stopped" if stopped else "Kafka was not running", err=True)


@kafka.command()
@port_option
@data_option
@json_option
@click.pass_context
def status(context: click.Context, port: int | None, data: Path | None, as_json: bool) -> None:
    """Tell where the broker runs; exit code 1 if it does not."""
    with _problems_as_usage():
        broker = _broker(port, data)
        running = broker.running()
    if as_json:
        found = {"address": running.address, "pid": running.pid} if running else {}
        report({"running": running is not None, "data": broker.data} | found, as_json)
    elif running:
        click.echo(running.address)
    else:
        click.echo("Kafka is not running; start it with `sluice kafka start`", err=True)
    context.exit(0 if running else 1)


@kafka.command()
@port_option
@data_option
@json_option
def wipe(port: int | None, data: Path | None, as_json: bool) -> None:
    """Stop the broker and delete its topics, settings and log."""
    with _problems_as_usage():
        broker = _broker(port, data)
        broker.wipe()
    if as_json:
        report({"wiped": broker.data}, as_json)
    else:
        click.echo(f"Kafka has stopped and its data in {broker.data} is deleted", err=True)


def _broker(port: int | None, data: Path | None) -> DevelopmentBroker:
    """Return the broker of a data folder; whichever port it runs on will do, unless one is asked for."""
    folder = data or data_folder() / str(port or DEFAULT_PORT)
    if port is None and DevelopmentBroker(folder).running() is None:
        port = DEFAULT_PORT
    return DevelopmentBroker(folder, port or 0)


@contextmanager
def _problems_as_usage() -> Iterator[None]:
    try:
        yield
    except DevelopmentBrokerError as problem:
        raise UsageProblem(str(problem)) from problem
    except OSError as problem:
        raise UsageProblem(f"{problem}; choose another folder with --data") from problem
