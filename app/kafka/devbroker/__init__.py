"""A real single-node Apache Kafka for development, tests and benchmarks: no Docker, no installed Java."""

from app.kafka.devbroker.errors import DevelopmentBrokerError
from app.kafka.devbroker.server import DevelopmentBroker

__all__ = ["DevelopmentBroker", "DevelopmentBrokerError"]
