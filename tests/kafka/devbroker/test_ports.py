"""Free ports are told from taken ones."""

import random
import socket

from app.kafka.devbroker.ports import LOOPBACK, free_port, is_free


class Scripted(random.Random):
    """Offers the given ports first."""

    def __init__(self, *ports: int) -> None:
        super().__init__(0)
        self.offers = list(ports)

    def randint(self, a: int, b: int) -> int:
        return self.offers.pop(0) if self.offers else super().randint(a, b)


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        assert free_port(Scripted(taken, taken)) != taken


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port(random.SystemRandom())
    assert 20_000 <= port <= 32_000
    with socket.create_server((LOOPBACK, port)) as server:
        assert server.getsockname()[1] == port
