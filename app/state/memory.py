"""Memory that a recovery took and does not need any more."""

import ctypes
import gc


def give_back_memory() -> None:
    """Return it to the system, since it may be more than the table itself needs for days.

    Consumers that were stopped are held by cycles, and glibc keeps freed memory until `malloc_trim(3)`; other C
    libraries have no such function.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
