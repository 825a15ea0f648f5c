"""Sessions are numbered alike however the stream is cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.replay.sessions import SESSION_GAP_MS, Sessions

STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, SESSION_GAP_MS, SESSION_GAP_MS + 1])))


def one_by_one(users: list[int], times: list[int]) -> list[tuple[int, int]]:
    last: dict[int, tuple[int, int, int]] = {}
    placed = []
    for user, ts in zip(users, times, strict=True):
        before, session, position = last.get(user, (ts - SESSION_GAP_MS - 1, -1, 0))
        opens = ts - before > SESSION_GAP_MS
        last[user] = (ts, session + 1, 0) if opens else (ts, session, position + 1)
        placed.append(last[user][1:])
    return placed


@given(STEPS, st.integers(1, 5))
def test_batches_are_numbered_as_single_events_are(steps: list[tuple[int, int]], size: int) -> None:
    users = [user for user, _ in steps]
    times = np.cumsum([gap for _, gap in steps]).tolist() if steps else []
    sessions = Sessions(users=4)
    placed: list[tuple[int, int]] = []
    for start in range(0, len(users), size):
        part = slice(start, start + size)
        batch = sessions.place(np.array(users[part], dtype=np.int64), np.array(times[part], dtype=np.int64))
        placed += zip(batch.session.tolist(), batch.position.tolist(), strict=True)
    assert placed == one_by_one(users, times)
