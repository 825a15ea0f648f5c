"""What a recovery took goes back to the system when it is over."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import ref

import psutil
import pytest

from app.state.memory import give_back_memory


class Node:
    """Holds itself, as a stopped consumer does."""

    def __init__(self) -> None:
        self.itself = self


def rss() -> int:
    found: int = psutil.Process().memory_info().rss
    return found


@contextmanager
def no_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_what_only_holds_itself_is_gone_although_collections_are_rare() -> None:
    with no_collection():
        node = ref(Node())
        assert node() is not None
        give_back_memory()
        assert node() is None


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library returns memory by itself")
def test_memory_between_live_rows_is_returned() -> None:
    rows = [bytes(2_000) for _ in range(60_000)]
    kept = rows[::500]
    del rows
    before = rss()
    give_back_memory()
    assert before - rss() > 50_000_000, len(kept)
