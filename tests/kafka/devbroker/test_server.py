"""What the development broker says when it cannot do what is asked, before any Java starts."""

import socket
from pathlib import Path

import pytest

from app.kafka.devbroker import DevelopmentBroker, DevelopmentBrokerError
from app.kafka.devbroker.ports import LOOPBACK


def test_a_taken_port_is_said_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(DevelopmentBrokerError, match=f"port {port} on 127.0.0.1 is taken; .* --port"):
            DevelopmentBroker(tmp_path, port).start()


def test_stopping_or_wiping_what_never_ran_does_and_makes_nothing(tmp_path: Path) -> None:
    broker = DevelopmentBroker(tmp_path / "never")
    assert broker.running() is None
    assert broker.stop() is False
    broker.wipe()
    broker.kill()
    assert not list(tmp_path.iterdir())
