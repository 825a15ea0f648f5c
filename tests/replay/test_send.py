"""What sending says when there is no broker to send to."""

import asyncio
import socket

import pytest

from app.cli.errors import UsageProblem
from app.replay.send import send


def test_a_broker_that_is_not_there_is_named_with_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UsageProblem, match=f"no Kafka answers at {address}: start one with"):
            asyncio.run(send([], address))


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(UsageProblem, match=r"no Kafka answers at nonsense:port: .*--broker HOST:PORT"):
        asyncio.run(send([], "nonsense:port"))
