"""Velocities against a plain Python reference, however the stream is cut into batches."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.velocity.catalogue import CATALOGUE
from app.velocity.definitions import DAY_MS, HOUR_MS
from app.velocity.table import VelocityTable
from tests.velocity.naive import Event, NaiveVelocities, columns

START = 1_700_000_000_000
GAPS = st.sampled_from([0, 1, 600_000, 1_000, HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, -1_000, -2 * DAY_MS])


WANTED = tuple(
    velocity
    for velocity in CATALOGUE
    if velocity.entity in ("user", "card", "merchant") and velocity.window in ("10m", "14d", "30d")
)


def replayed(events: Sequence[Event], cuts: Sequence[int]) -> NDArray[np.float64]:
    """The values at all orders, the events cut into batches before the positions ``cuts``."""
    table = VelocityTable(WANTED)
    bounds = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(events)), len(events)]
    return np.concatenate(
        [table.process(*columns(list(events[start:stop]), start)) for start, stop in pairwise(bounds)]
    )


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Orders of few users, devices, cards and merchants, and labels before, after and against each other."""
    ts, events = START, list[Event]()
    for number in range(draw(st.integers(1, 40))):
        ts += draw(GAPS)
        user = draw(st.sampled_from("uv"))
        order = f"o{draw(st.integers(0, 12))}" if draw(st.integers(0, 4)) == 0 else f"n{number}"
        if draw(st.integers(0, 3)) == 0:
            chosen = draw(st.sampled_from([each.order for each in events] + [f"n{number + 1}"]))
            events.append(Event(ts, chosen, user, bad=draw(st.booleans())))
            continue
        kinds = draw(st.lists(st.sampled_from(["device", "card", "merchant"]), unique=True))
        names = {kind: draw(st.sampled_from("ab")) for kind in kinds}
        events.append(Event(ts, order, user, draw(st.sampled_from([1, 10_000, 570_000, 2_200_100])), names))
    return events


@settings(max_examples=25, deadline=None)
@given(streams(), st.lists(st.integers(0, 40)))
def test_every_value_is_that_of_the_reference_however_the_stream_is_cut(events: list[Event], cuts: list[int]) -> None:
    reference = NaiveVelocities(WANTED)
    expected = [values for event in events if (values := reference.take(event)) is not None]
    found = replayed(events, cuts)
    assert found.shape == (len(expected), len(WANTED))
    for row, values in enumerate(expected):
        np.testing.assert_allclose(found[row], values, rtol=1e-9, atol=1e-7, err_msg=str(events))


@settings(max_examples=10, deadline=None)
@given(streams(), st.lists(st.integers(0, 40)))
def test_values_are_equal_to_the_last_bit_however_the_stream_is_cut(events: list[Event], cuts: list[int]) -> None:
    np.testing.assert_array_equal(replayed(events, cuts), replayed(events, range(len(events))))
