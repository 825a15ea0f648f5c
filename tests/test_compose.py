"""docker-compose.yml runs Kafka with the development broker's settings, so that both forms behave the same."""

from pathlib import Path

from app.kafka.devbroker.properties import NODE, container_environment

COMPOSE = Path(__file__).resolve().parent.parent / "docker-compose.yml"


def test_kafka_has_the_settings_of_the_development_broker() -> None:
    lines = {line.strip() for line in COMPOSE.read_text().splitlines()}
    # The container has one listener more.
    shared = {name: value for name, value in NODE.items() if name != "listener.security.protocol.map"}
    missing = {f'{name}: "{value}"' for name, value in container_environment(shared).items()} - lines
    assert not missing
