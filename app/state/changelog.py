"""The changelog: a compacted topic with the latest row of every key, the truth about a table.

A record is the key's bytes and the row: a version byte, then bytes that only the columns understand; no value
means that the key is gone (a tombstone). One partition holds the keys of the same partition of the inputs.

A row that does not parse is never skipped in silence: if it is still the latest of its key at the end of a
recovery, the worker stops (`UnreadableRows`). Starting such a user from nothing would send out wrong results
that look right. A later row or tombstone of the same key mends it.
"""

from collections.abc import Sequence
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
    # The last segment is never compacted: small ones keep a recovery short.
    "segment.bytes": str(64 << 20),
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


@dataclass(frozen=True, slots=True)
class RowFormat:
    """Rows of one version and one length: what the columns of this build can read.

    Attributes:
        version: the first byte, 0–255.
        size: of the whole value in bytes, the version byte included.
    """

    version: int
    size: int

    def unreadable(self, values: Sequence[bytes | None]) -> list[int]:
        """The positions of the values that are not rows of this format; a tombstone (None) is fine."""
        version, size = self.version, self.size
        return [
            position
            for position, value in enumerate(values)
            if value is not None and (len(value) != size or value[0] != version)
        ]


def changelog_topic(group: str, table: str) -> str:
    """The changelog's name, as Faust forms it: `<group>-<table>-changelog`."""
    return f"{group}-{table}-changelog"


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
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    try:
        await admin.start()
        wanted = ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(TOPIC_CONFIG))
        (response,) = await admin.describe_configs([wanted])
    finally:
        await admin.close()
    (described,) = response.to_object()["resources"]
    if (error := for_code(described["error_code"])) is not NoError:
        raise error(f"reading the configuration of topic {topic}: {described['error_message']}")
    return {entry["config_names"]: entry["config_value"] for entry in described["config_entries"]}
