"""Several sources are one stream: every event once, by time, ties in the order they were given."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.replay.ordered import OrderedRecording
from app.replay.recorded import RecordedBatch


class NamedSource:
    """Events that say which source and place they come from."""

    def __init__(self, name: str, times: list[int]) -> None:
        self._name = name
        self.times: npt.NDArray[np.int64] = np.array(times, dtype=np.int64)

    def take(self, events: npt.NDArray[np.int64]) -> RecordedBatch:
        names = [f"{self._name}{place}" for place in events.tolist()]
        keys = [name.encode() for name in names]
        return RecordedBatch(names, keys, self.times[events].tolist(), keys)


TIMES = st.lists(st.lists(st.integers(-3, 3) | st.just(2**62)), max_size=4)


@given(TIMES, st.integers(1, 7))
def test_events_come_by_time_and_then_by_source_and_place(times: list[list[int]], rows: int) -> None:
    sources = [NamedSource("abcd"[index], one) for index, one in enumerate(times)]
    recording = OrderedRecording(sources, rows)
    batches = list(recording)
    given_order = [("abcd"[index], place, ts) for index, one in enumerate(times) for place, ts in enumerate(one)]
    expected = [(f"{name}{place}", ts) for name, place, ts in sorted(given_order, key=lambda event: event[2])]
    found = [pair for batch in batches for pair in zip(batch.topics, batch.timestamps, strict=True)]
    assert found == expected
    assert all(batch.topics == [value.decode() for value in batch.values] for batch in batches)
    assert recording.rows == len(expected)
    assert all(len(batch) == rows for batch in batches[:-1])


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row, not 0"):
        OrderedRecording([], 0)
