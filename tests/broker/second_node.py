"""A second broker in the cluster of a development broker, so that a partition's leader can die and another follow."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from app.kafka.devbroker import DevelopmentBroker
from app.kafka.devbroker.ports import LOOPBACK, free_port
from app.kafka.devbroker.properties import to_text
from tests.broker.worker_process import until

REPLICATED = {"offsets.topic.replication.factor": "2", "transaction.state.log.replication.factor": "2"}
"""What the first one's settings need, lest the group or its transactions die with the second."""


@contextmanager
def second_node(first: DevelopmentBroker, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A broker beside the running ``first`` one, which stays the controller; killed at the end, if not before."""
    folder.mkdir()
    properties, log = folder / "server.properties", folder / "server.log"
    properties.write_text(to_text(_settings(first, folder)))
    command = first._java_command()
    cluster = _read(first.data / "log" / "meta.properties")["cluster.id"]
    arguments = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    subprocess.run([*command, *arguments], check=True, capture_output=True)
    with log.open("wb") as output:
        node = subprocess.Popen([*command, "kafka.Kafka", str(properties)], stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: "Kafka Server started" in log.read_text(errors="replace"), "a second broker")
        yield node
    finally:
        node.kill()
        node.wait()


async def leaders(broker: str, topic: str) -> list[int]:
    """The node that leads each partition of the topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
        return [partition["leader"] for partition in described["partitions"]]
    finally:
        await admin.close()


def _settings(first: DevelopmentBroker, folder: Path) -> dict[str, str]:
    listener = f"PLAINTEXT://{LOOPBACK}:{free_port(random.SystemRandom())}"
    return _read(first.data / "server.properties") | {
        "process.roles": "broker",
        "node.id": "2",
        "listeners": listener,
        "advertised.listeners": listener,
        "log.dirs": str(folder / "log"),
    }


def _read(properties: Path) -> dict[str, str]:
    lines = [line for line in properties.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
