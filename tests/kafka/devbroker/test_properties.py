"""Kafka's settings: reachable from this machine alone, and written so that Java reads them back."""

from pathlib import Path

from app.kafka.devbroker.properties import container_environment, node_properties, to_text


def test_every_listener_is_on_the_loopback_interface() -> None:
    properties = node_properties(20_001, 20_002, Path("/data/log"))
    listeners = f"{properties['listeners']},{properties['advertised.listeners']}".split(",")
    assert [listener.split("://")[1].split(":")[0] for listener in listeners] == ["127.0.0.1"] * 3


def test_the_metadata_log_lives_with_the_topics() -> None:
    # Kafka refuses to format a metadata folder inside one of its log folders.
    assert "metadata.log.dir" not in node_properties(20_001, 20_002, Path("/data/log"))


def test_a_backslash_in_a_path_is_escaped() -> None:
    assert to_text({"log.dirs": r"C:\data", "node.id": "1"}) == "log.dirs=C:\\\\data\nnode.id=1\n"


def test_the_container_gets_the_same_settings_as_variables() -> None:
    assert container_environment({"log.retention.ms": "-1"}) == {"KAFKA_LOG_RETENTION_MS": "-1"}
