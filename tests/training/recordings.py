"""Small recordings for tests, and a folder of data sets with made-up rows."""

from collections.abc import Iterable, Iterator

from app.replay.recorded import RecordedBatch
from app.replay.shop import Shop
from app.state.columns import Lifetimes

LIFETIMES = Lifetimes(gap_ms=1_800_000, history_ms=30 * 86_400_000, grace_ms=60_000)


def ignored(count: int) -> None:
    """Progress that nobody watches."""


def shop(events: int, batch_rows: int = 1_024) -> Iterator[RecordedBatch]:
    """A little of the simulated shop, slow enough for customers to come back."""
    return (batch.recorded for batch in Shop(3, 40, events_per_second=0.02, events=events, batch_rows=batch_rows))


def recut(recording: Iterable[RecordedBatch], rows: int) -> Iterator[RecordedBatch]:
    """The same events in batches of ``rows``."""
    for batch in recording:
        for start in range(0, len(batch), rows):
            yield batch.take(range(start, min(start + rows, len(batch))))
