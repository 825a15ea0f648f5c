"""Recorded events through the pipeline in this process, without any broker."""

from collections.abc import AsyncIterator, Callable, Iterable

from app.fanout.local import LocalFanOut
from app.pipeline import Pipeline, Work
from app.replay.fetches import Fetches
from app.replay.pacing import Clock, Pace, paced
from app.replay.recorded import RecordedBatch, joined

NowMs = Callable[[], int]
"""The wall clock, ms since the epoch."""


async def replay(
    recording: Iterable[RecordedBatch],
    pipeline: Pipeline,
    partitions: int,
    now_ms: NowMs,
    clock: Clock,
    pace: Pace | None = None,
    fan_out: LocalFanOut | None = None,
) -> AsyncIterator[Work]:
    """The steps that a recording makes, as a worker of topics with so many partitions would make them.

    The recording is in order of event time, and whatever has been read is all there is: so the pipeline must not wait
    for idle topics (``Limits.max_idle`` 0). What is open when the recording ends stays open, as it would live. The
    orders meet their velocities in the joiners of ``fan_out``, if those are the pipeline's.
    """
    fetches, fan_out = Fetches(partitions), fan_out or LocalFanOut(partitions, ())
    async for moments in _whole_moments(paced(recording, pace, clock)):
        for fetched in fetches.of(moments):
            pipeline.feed(fetched)
            fan_out.feed(fetched)
        fan_out.exchange()
        while work := pipeline.work(lambda _: 0, 0.0, now_ms()):
            fan_out.through(work.next_offsets)
            yield work


async def _whole_moments(batches: AsyncIterator[RecordedBatch]) -> AsyncIterator[RecordedBatch]:
    """The same events, cut only where time passes: at equal times a click goes before an order."""
    held: list[RecordedBatch] = []
    async for batch in batches:
        begun = _first_of_last_moment(batch)
        if held and held[-1].timestamps[-1:] != batch.timestamps[:1]:
            yield joined(held)
            held = []
        if begun > 0:
            yield joined([*held, batch.take(range(begun))])
            held = []
        if len(batch) > begun:
            held.append(batch.take(range(begun, len(batch))))
    if held:
        yield joined(held)


def _first_of_last_moment(batch: RecordedBatch) -> int:
    """Where the events begin that have the time of the last one."""
    at = len(batch)
    while at > 0 and batch.timestamps[at - 1] == batch.timestamps[-1]:
        at -= 1
    return at
