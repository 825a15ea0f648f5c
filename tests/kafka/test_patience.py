"""A broker that goes away in the middle of something only delays it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError

from app.kafka.patience import until_done


async def _cancelled_by_what_it_waits_for() -> str:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future
    return "never"


async def _unreachable() -> str:
    raise KafkaConnectionError("Unable to bootstrap")


async def _late() -> str:
    raise KafkaTimeoutError


async def _done() -> str:
    return "done"


def _one_after_the_other(*attempts: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    left = list(attempts)
    return lambda: left.pop(0)()


@pytest.mark.parametrize("attempt", [_cancelled_by_what_it_waits_for, _unreachable, _late])
def test_what_the_broker_interrupts_is_begun_anew(attempt: Callable[[], Awaitable[str]]) -> None:
    assert asyncio.run(until_done(_one_after_the_other(attempt, attempt, _done), "it")) == "done"


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError(), KafkaError("of no kind"), ValueError("a bug")])
def test_what_no_repetition_mends_is_raised_at_once(error: Exception) -> None:
    async def fails() -> str:
        raise error

    with pytest.raises(type(error)) as raised:
        asyncio.run(until_done(_one_after_the_other(fails), "it"))
    assert raised.value is error


def test_who_waits_for_it_may_cancel_it_and_it_has_ended_then() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # it has something to close
            ended.append("ended")

    async def scenario() -> None:
        waiting = asyncio.ensure_future(until_done(long, "it"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ended == ["ended"]

    asyncio.run(scenario())
