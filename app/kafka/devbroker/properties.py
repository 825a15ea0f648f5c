"""Kafka's settings for one node on a developer's machine."""

from collections.abc import Mapping
from pathlib import Path

from app.kafka.devbroker.ports import LOOPBACK

NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    # Topics are made by `sluice topics create`: a misspelt name must fail and not appear.
    "auto.create.topics.enable": "false",
    "num.partitions": "8",
    # One node can hold one replica.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # The first group and the first transaction wait for these partitions; 50 each would cost seconds.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    # A consumer starts at once, and a test may notice a dead one after a second (default 6 s).
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After a crash the controller refuses the new process until the dead one's session ends (default 9 s).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Oversized values must get in to be dead-lettered by the worker and not be refused at the producer.
    "message.max.bytes": str(8 * 1024 * 1024),
    "replica.fetch.max.bytes": str(8 * 1024 * 1024),
    # Recorded events keep their own times: years back, which retention by time would delete, or ahead of the
    # clock, which the default limit of one hour would refuse.
    "log.retention.ms": "-1",
    "log.message.timestamp.after.max.ms": str(2**63 - 1),
    # The cleaner's default of 128 MiB is a quarter of the heap.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


def node_properties(port: int, controller_port: int, log_folder: Path) -> dict[str, str]:
    """Return the settings of a node that clients reach on `port`, on the loopback interface only."""
    return NODE | {
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "log.dirs": str(log_folder),
    }


def to_text(properties: Mapping[str, str]) -> str:
    """Return `properties` as the text of a Java properties file."""
    return "".join(f"{name}={value.replace(chr(92), chr(92) * 2)}\n" for name, value in properties.items())


def container_environment(properties: Mapping[str, str]) -> dict[str, str]:
    """Return `properties` as the environment variables that the apache/kafka image reads (KIP-974)."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in properties.items()}
