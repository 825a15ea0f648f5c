"""Make and delete Kafka topics, and say plainly why it does not work."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, for_code

from schemas.topics import BY_NAME, CONTROLS, TOPICS

_NO_ERROR, _UNKNOWN_TOPIC, _ALREADY_EXISTS = 0, 3, 36
_REQUEST_TIMEOUT_MS = 10_000
_KNOWN_TIMEOUT_S = 10.0
_POLL_S = 0.02
# More copies than this buy nothing that Kafka's own defaults do not; a development broker can hold one.
_MOST_REPLICAS = 3


class TopicError(Exception):
    """Topics cannot be made or deleted; the message says what was found and what to do."""


class TopicRefused(TopicError):
    """The broker will not have a topic as it is wanted, however often it is asked."""


@dataclass(frozen=True)
class Topic:
    """A topic to make: its number of partitions and its Kafka topic settings."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


def topic(name: str, partitions: int) -> Topic:
    """Return the topic `name`, with the catalogue's settings if it is in there."""
    return Topic(name, partitions, dict(BY_NAME[name].config) if name in BY_NAME else {})


def catalogue(partitions: int) -> list[Topic]:
    """Return every topic of the contract, all with the same number of partitions: they are co-partitioned.

    The control topics follow, with one each.
    """
    return [topic(contract.name, partitions) for contract in TOPICS] + controls()


def controls() -> list[Topic]:
    """Return the control topics."""
    return [Topic(control.name, 1, dict(control.config)) for control in CONTROLS]


async def create_topics(broker: str, topics: Sequence[Topic]) -> list[str]:
    """Make what is missing of `topics`, wait until clients can use them, and return the names made.

    Raises TopicError if no broker answers at `broker`, if it refuses, or if a topic exists with another
    number of partitions; in that case nothing is made.
    """
    async with _admin(broker) as admin:
        existing = await _partitions(admin)
        _check_partitions(topics, existing)
        missing = [wanted for wanted in topics if wanted.name not in existing]
        if missing:
            await _create(admin, missing)
            await _until_known(admin, [wanted.name for wanted in missing], present=True)
            # Another process may have made one in between.
            _check_partitions(topics, await _partitions(admin))
        return [wanted.name for wanted in missing]


async def partition_counts(broker: str) -> dict[str, int]:
    """How many partitions each topic of the broker has.

    Raises:
        TopicError: no broker answers.
    """
    async with _admin(broker) as admin:
        return await _partitions(admin)


async def delete_topics(broker: str, names: Collection[str]) -> None:
    """Delete the topics `names` with all their records; those that do not exist are skipped."""
    async with _admin(broker) as admin:
        response = await admin.delete_topics(sorted(set(names)))
        for name, code in response.topic_error_codes:
            if code not in (_NO_ERROR, _UNKNOWN_TOPIC):
                raise TopicError(f"Kafka did not delete topic {name}: {for_code(code).__name__}")
        await _until_known(admin, names, present=False)


@asynccontextmanager
async def _admin(broker: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError) as problem:
        raise TopicError(
            f"no Kafka answers at {broker} ({type(problem).__name__}): start one with `sluice kafka start`, "
            "or name yours with --broker HOST:PORT"
        ) from problem
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Return the number of partitions of every topic that has a leader for each.

    It asks for all topics: to name a missing one would make it on brokers that create topics by themselves.
    """
    described: list[dict[str, Any]] = await admin.describe_topics()
    return {
        found["topic"]: len(found["partitions"])
        for found in described
        if found["error_code"] == _NO_ERROR
        and all(partition["error_code"] == _NO_ERROR for partition in found["partitions"])
    }


def _check_partitions(topics: Sequence[Topic], existing: dict[str, int]) -> None:
    for wanted in topics:
        found = existing.get(wanted.name, wanted.partitions)
        if found != wanted.partitions:
            raise TopicRefused(
                f"topic {wanted.name} has {found} partitions and not {wanted.partitions}: say --partitions "
                f"{found}, or delete the topic first (more partitions would part keys from their state)"
            )


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    cluster = await admin.describe_cluster()
    replicas = min(_MOST_REPLICAS, len(cluster["brokers"]))
    requests = [NewTopic(new.name, new.partitions, replicas, topic_configs=new.config) for new in topics]
    response = await admin.create_topics(requests)
    for name, code, message in response.topic_errors:
        if code not in (_NO_ERROR, _ALREADY_EXISTS):
            kind = TopicError if for_code(code).retriable else TopicRefused
            raise kind(f"Kafka did not create topic {name}: {message or for_code(code).__name__}")


async def _until_known(admin: AIOKafkaAdminClient, names: Collection[str], present: bool) -> None:
    """Wait until the broker's metadata, which follows the controller's, has all of `names` or none of them."""
    deadline = time.monotonic() + _KNOWN_TIMEOUT_S
    while pending := await _pending(admin, names, present):
        if present:
            await _check_rights(admin, pending)
        if time.monotonic() > deadline:
            state = "made but has no leader for" if present else "deleted but still shows"
            raise TopicError(f"Kafka {state} {', '.join(pending)}; see the broker's log")
        await asyncio.sleep(_POLL_S)


async def _check_rights(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Who may make a topic may still not be shown it; only who asks for it by its name is told."""
    for found in await admin.describe_topics(list(names)):
        error = for_code(found["error_code"])
        if error is TopicAuthorizationFailedError:
            raise TopicRefused(f"Kafka does not show topic {found['topic']}: {error.__name__}")


async def _pending(admin: AIOKafkaAdminClient, names: Collection[str], present: bool) -> list[str]:
    known = await _partitions(admin)
    return [name for name in names if (name in known) != present]
