"""The changelog: a compacted topic with the latest row of every key, the truth about a table.

A record is the key's bytes and the row's, which only the columns understand and check; no value means that the key
is gone (a tombstone). One partition holds the keys of the same partition of the inputs.

A row that does not parse is never skipped in silence: if it is still the latest of its key at the end of a
recovery, the worker stops (`UnreadableRows`). Starting such a user from nothing would send out wrong results
that look right. A later row or tombstone of the same key mends it.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, for_code

from app.kafka.topics import Topic, create_topics

DAY_MS = 24 * 3600 * 1000

TOPIC_CONFIG = {
    "cleanup.policy": "compact",
    # A worker whose store is older than this reads the whole changelog again (see recovery), so it is long.
    "delete.retention.ms": str(7 * DAY_MS),
    # The last segment is never compacted: small ones keep a recovery without a local store short.
    "segment.bytes": str(16 << 20),
    # Rows of a replay carry times of long ago; those of the broker's log must not.
    "message.timestamp.type": "LogAppendTime",
}


class ChangelogMismatch(Exception):
    """The changelog topic exists and does not keep what a table needs: says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Changelog:
    """A changelog topic as the broker has it.

    Attributes:
        topic: its name.
        partitions: how many: as many as each input topic has.
        tombstones_kept_ms: for how long a deletion can be read at least (`delete.retention.ms`).
    """

    topic: str
    partitions: int
    tombstones_kept_ms: int


def changelog_topic(group: str, table: str) -> str:
    """The changelog's name, as Faust forms it: `<group>-<table>-changelog`."""
    return f"{group}-{table}-changelog"


async def common_partitions(broker: str, topics: Collection[str]) -> int:
    """The number of partitions that every one of the input topics has.

    Raises:
        ChangelogMismatch: a topic is missing, or their numbers differ, so that one key would lie in partitions of
            different workers.
        aiokafka.errors.KafkaError: no broker answers, or it refuses.
    """
    async with _admin(broker) as admin:
        described = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    if missing := sorted(set(topics) - set(described)):
        raise ChangelogMismatch(f"no topic {', '.join(missing)} at {broker}: make it with `sluice topics create`")
    counts = {topic: described[topic] for topic in sorted(topics)}
    if len(set(counts.values())) != 1:
        found = ", ".join(f"{topic} {count}" for topic, count in counts.items())
        raise ChangelogMismatch(f"the input topics must have the same number of partitions; they have: {found}")
    return next(iter(counts.values()))


async def ensure_changelog(broker: str, topic: str, partitions: int) -> Changelog:
    """Create the changelog topic where it is missing, and check it where it exists.

    Args:
        broker: bootstrap address, `HOST:PORT`.
        topic: its name, see `changelog_topic`.
        partitions: how many each input topic has.

    Raises:
        app.kafka.topics.TopicError: another number of partitions, no broker, or the broker refused.
        ChangelogMismatch: the broker deletes its records by age or size.
    """
    await create_topics(broker, [Topic(topic, partitions, TOPIC_CONFIG)])
    config = await _topic_config(broker, topic)
    if config["cleanup.policy"] != "compact":
        raise ChangelogMismatch(
            f"topic {topic} has cleanup.policy={config['cleanup.policy']}, with which the broker deletes state: "
            "set it to compact"
        )
    return Changelog(topic, partitions, int(config["delete.retention.ms"]))


async def _topic_config(broker: str, topic: str) -> dict[str, str]:
    wanted = ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(TOPIC_CONFIG))
    async with _admin(broker) as admin:
        (response,) = await admin.describe_configs([wanted])
    (described,) = response.to_object()["resources"]
    if (error := for_code(described["error_code"])) is not NoError:
        raise error(f"reading the configuration of topic {topic}: {described['error_message']}")
    return {entry["config_names"]: entry["config_value"] for entry in described["config_entries"]}


@asynccontextmanager
async def _admin(broker: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
