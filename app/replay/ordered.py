"""Several sources as one stream in event-time order."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from app.replay.recorded import RecordedBatch, Source, joined

Positions = npt.NDArray[np.int64]


class OrderedRecording:
    """Events of `sources`, merged by event time, in batches of at most `batch_rows`.

    The sort is stable: events of the same millisecond keep the order of the sources and of their files.
    Sorting needs 16 bytes per event; payloads are made batch by batch.
    """

    def __init__(self, sources: Sequence[Source], batch_rows: int) -> None:
        if batch_rows < 1:
            raise ValueError(f"a batch has at least one row, not {batch_rows}")
        self._sources = sources
        self._batch_rows = batch_rows
        sizes = [len(source.times) for source in sources]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        times = np.concatenate([np.empty(0, np.int64), *(source.times for source in sources)])
        self._order: Positions = np.argsort(times, kind="stable").astype(np.int64)
        self.rows: int | None = len(times)

    def __iter__(self) -> Iterator[RecordedBatch]:
        for start in range(0, len(self._order), self._batch_rows):
            yield self._take(self._order[start : start + self._batch_rows])

    def _take(self, events: Positions) -> RecordedBatch:
        """The events at positions counted over all sources."""
        owner = np.searchsorted(self._starts, events, side="right") - 1
        owners = np.unique(owner)
        if len(owners) == 1:
            only = int(owners[0])
            return self._sources[only].take(events - self._starts[only])
        parts, places = [], []
        for index in owners.tolist():
            places.append(np.flatnonzero(owner == index))
            parts.append(self._sources[index].take(events[places[-1]] - self._starts[index]))
        return joined(parts).take(np.argsort(np.concatenate(places)).tolist())
