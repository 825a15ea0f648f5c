"""The fan-out begins anew where the broker fails it, and says at once what the broker refuses for good."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from prometheus_client import CollectorRegistry

from app.fanout import service
from app.fanout.clients import Clients
from app.fanout.joiner import Joiners
from app.fanout.service import FanOut, FanOutOptions, VelocitiesRefused
from app.kafka.topics import TopicError, TopicRefused
from app.ops.metrics import Metrics
from app.velocity.catalogue import CATALOGUE

ASKS, ANSWERS = "shop-velocity-asks", "shop-velocity-answers"


class Refusing:
    """A producer that may not write."""

    async def send_and_wait(self, topic: str, *_: object, **__: object) -> None:
        raise TopicAuthorizationFailedError(topic)


@pytest.fixture
def fan_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FanOut:
    monkeypatch.setattr(service, "_BEGIN_AGAIN_S", 0.0)
    options = FanOutOptions("nowhere:1", "shop", 1, tmp_path)
    return FanOut(options, CATALOGUE, Joiners(None), lambda _: None, Metrics(CollectorRegistry()))


def begins(monkeypatch: pytest.MonkeyPatch, *problems: Exception | None) -> Iterator[Exception | None]:
    """Let what makes the topics fail so, one time after the other."""
    left = iter(problems)

    async def ensure(*_: object) -> None:
        if (problem := next(left)) is not None:
            raise problem

    monkeypatch.setattr(service, "ensure_topics", ensure)
    return left


@pytest.mark.parametrize(
    "problem",
    [
        TopicRefused(f"Kafka did not create topic {ASKS}: Authorization failed."),
        TopicRefused(f"topic {ASKS} has 3 partitions and not 1"),
        TopicAuthorizationFailedError(ASKS),
        ClusterAuthorizationFailedError(),
    ],
)
def test_topics_that_the_broker_refuses_end_it_at_once_and_say_what_to_do(
    fan_out: FanOut, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    begins(monkeypatch, problem)
    with pytest.raises(VelocitiesRefused) as refused:
        asyncio.run(fan_out.run())
    said = str(refused.value)
    assert f"{ASKS} or {ANSWERS}" in said
    assert str(problem) in said
    assert "let this worker create, describe, read and write both" in said


def test_no_right_to_write_ends_it_when_the_first_partition_comes(
    fan_out: FanOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def running(broker: str) -> AsyncIterator[Clients]:
        yield Clients(broker, None, Refusing())

    begins(monkeypatch, None)
    monkeypatch.setattr(Clients, "running", running)
    fan_out.assign({0: 0})
    with pytest.raises(VelocitiesRefused, match=f"TopicAuthorizationFailedError: {ASKS}"):
        asyncio.run(fan_out.run())


@pytest.mark.parametrize(
    "problem", [KafkaConnectionError(), KafkaError(), TopicError("no Kafka answers"), OSError(), TimeoutError()]
)
def test_it_begins_anew_where_the_broker_fails_it(
    fan_out: FanOut, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    left = begins(monkeypatch, problem, problem, TopicRefused("enough"), problem)
    with pytest.raises(VelocitiesRefused, match="enough"):
        asyncio.run(fan_out.run())
    assert [*left] == [problem]
