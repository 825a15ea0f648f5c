"""How long calls of models take, side by side."""

import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import numpy as np

SIZES: Final = (1, 64, 1024)
"""Rows of a batch: a quiet topic, an ordinary batch, a backlog."""

_ROUNDS: Final = 5
_ROWS_OF_ROUND: Final = 8192
_FEWEST_CALLS, _MOST_CALLS = 10, 200

Key = TypeVar("Key")


def seconds_of_calls(calls: Mapping[Key, Callable[[], object]], rows: int) -> dict[Key, float]:
    """Seconds of a call of each, which handles so many ``rows``.

    The least of five rounds' medians: all are called in every round, so that what else the machine does falls on all.
    """
    count = min(_MOST_CALLS, max(_FEWEST_CALLS, _ROWS_OF_ROUND // rows))
    for call in calls.values():
        call()  # the first allocates
    rounds = [{key: _median(call, count) for key, call in calls.items()} for _ in range(_ROUNDS)]
    return {key: min(one[key] for one in rounds) for key in calls}


def _median(call: Callable[[], object], count: int) -> float:
    took = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return float(np.median(took))
