"""`sluice topics`: make the topics of the contract."""

import asyncio
import logging

import click

from app.cli.errors import UsageProblem
from app.cli.options import broker_option, json_option, open_settings, setting_option
from app.cli.output import report
from app.kafka.topics import TopicError, catalogue, create_topics


@click.group()
def topics() -> None:
    """The topics of the contract."""


@topics.command()
@setting_option("partitions", "N")
@broker_option
@json_option
def create(partitions: str | None, broker: str | None, as_json: bool) -> None:
    """Create the topics that are missing; those that exist must have the same number of partitions."""
    settings = open_settings(partitions=partitions, broker=broker)
    wanted = catalogue(settings.partitions)
    # What aiokafka would log about a missing broker is in the one line that this command ends with.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        created = asyncio.run(create_topics(settings.broker, wanted))
    except TopicError as problem:
        raise UsageProblem(str(problem)) from problem
    if as_json:
        existing = [topic.name for topic in wanted if topic.name not in created]
        report({"created": created, "existing": existing, "partitions": settings.partitions}, as_json)
    else:
        click.echo(f"{len(created)} of {len(wanted)} topics created, the others exist", err=True)
