"""TCP ports on the loopback interface."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the ports that Linux (from 32768) and macOS (from 49152) give to outgoing connections, so that none of
# these can take a broker's port while the broker restarts.
_LOWEST, _HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Tell whether a server could listen on `port` of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Kafka does: a port whose last connections linger in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(choice: random.Random) -> int:
    """Return a free port; another process may still take it before the caller listens on it."""
    while True:
        port = choice.randint(_LOWEST, _HIGHEST)
        if is_free(port):
            return port
