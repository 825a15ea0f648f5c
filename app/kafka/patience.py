"""Work that a broker interrupts by going away, and that is begun anew until it is done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError

from app.kafka.coordinator import pauses

_Result = TypeVar("_Result")

log = structlog.get_logger(__name__)


async def until_done(attempt: Callable[[], Awaitable[_Result]], what: str) -> _Result:
    """The result of ``attempt``, made again for as long as the broker does not let it finish.

    An aiokafka client tells that by a retriable error, by one of time, or by cancelling whoever waits for it.

    Args:
        attempt: leaves nothing behind when it fails or is cancelled.
        what: for the log.

    Raises:
        Exception: what ``attempt`` raised and no repetition mends.
    """
    for pause in pauses():
        task = asyncio.ensure_future(attempt())
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        if (problem := _problem(task)) is None:
            return task.result()
        log.warning(f"{what} is begun anew: the broker did not let it finish", reason=repr(problem))
        await asyncio.sleep(pause)
    raise AssertionError("pauses never end")


def _problem(task: "asyncio.Future[_Result]") -> BaseException | None:
    """What a repetition may mend; what it cannot is raised."""
    if task.cancelled():
        return asyncio.CancelledError("cancelled by what it waited for")
    error = task.exception()
    if error is None or isinstance(error, KafkaTimeoutError) or (isinstance(error, KafkaError) and error.retriable):
        return error
    raise error
