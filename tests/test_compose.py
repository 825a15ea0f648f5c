"""docker-compose.yml runs Kafka with the development broker's settings, so that both forms behave the same, and workers
with the starter ruleset."""

from pathlib import Path

import yaml

from app.demo.run import STARTER
from app.kafka.devbroker.properties import NODE, container_environment

COMPOSE = Path(__file__).resolve().parent.parent / "docker-compose.yml"


def test_kafka_has_the_settings_of_the_development_broker() -> None:
    lines = {line.strip() for line in COMPOSE.read_text().splitlines()}
    # The container has one listener more.
    shared = {name: value for name, value in NODE.items() if name != "listener.security.protocol.map"}
    missing = {f'{name}: "{value}"' for name, value in container_environment(shared).items()} - lines
    assert not missing


def test_every_worker_begins_with_the_starter_ruleset() -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    assert (COMPOSE.parent / compose["configs"]["ruleset"]["file"]).samefile(STARTER)
    workers = [service for service in compose["services"].values() if service.get("command", [""])[0] == "worker"]
    assert len(workers) == 2
    for worker in workers:
        (config,) = worker["configs"]
        assert config == {"source": "ruleset", "target": worker["environment"]["SLUICE_RULESET"]}
