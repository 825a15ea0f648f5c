"""A worker like any other that stops dead at a named point, when it has been told to: `python -m app.torture.victim`.

It runs the command ``sluice worker`` unchanged, with a turnstile at a few points of the path. A window is armed by a
file of its name in the folder that ``SLUICE_TORTURE_WINDOWS`` names; the next that comes by takes the file away and
stops the whole process with SIGSTOP, heartbeats and all, until the killer has come and sent SIGKILL or SIGCONT.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from app.cli.main import main
from app.kafka.coordinator import TransactionCoordinator
from app.kafka.transactions import TransactionalProducer
from app.state.held import HeldPartitions
from app.state.restoring import RestoredPartition
from app.torture.stopwatch import stopwatch, to_file
from app.worker.processor import Processor

FOLDER = "SLUICE_TORTURE_WINDOWS"

BEGUN, PRODUCED, DELIVERED, WRITTEN = "begun", "produced", "delivered", "written"
RECOVERY, DRAIN, TAKEOVER = "recovery", "drain", "takeover"
"""The points: before anything of a transaction is written; after produce and before commit; after commit and before the
local write; after the local write; a recovery that begins; a drain that ends; partitions that are assigned, and not
fenced or read back yet."""

_STOPPING_S = 0.05  # a thread other than this one may be the one that takes the signal

Pass = Callable[[str], None]


def takeovers_file(folder: Path) -> Path:
    """Where a victim tells how long its takeovers took: beside the folder of its windows."""
    return folder.with_name(f"{folder.name}-takeovers")


def turnstile(folder: Path) -> Pass:
    """A function that stops this process if a window of that name is armed in ``folder``."""

    def passing(window: str) -> None:
        armed = folder / window
        if armed.exists():
            armed.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(_STOPPING_S)

    return passing


@contextmanager
def windows(passing: Pass) -> Iterator[None]:
    """Turnstiles at every window, inside the block."""
    with ExitStack() as stack:
        for owner, name, make, before, after in _METHODS:
            stack.enter_context(patch.object(owner, name, make(getattr(owner, name), passing, before, after)))
        yield


def _around(method: Callable[..., Any], passing: Pass, before: str | None, after: str | None) -> Callable[..., Any]:
    def around(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any method
        _through(passing, before)
        done = method(*args, **kwargs)
        _through(passing, after)
        return done

    return around


def _around_async(
    method: Callable[..., Any], passing: Pass, before: str | None, after: str | None
) -> Callable[..., Any]:
    async def around(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any method
        _through(passing, before)
        done = await method(*args, **kwargs)
        _through(passing, after)
        return done

    return around


def _through(passing: Pass, window: str | None) -> None:
    if window is not None:
        passing(window)


_METHODS: tuple[tuple[type, str, Callable[..., Any], str | None, str | None], ...] = (
    (TransactionalProducer, "commit", _around_async, BEGUN, None),
    (TransactionCoordinator, "commit", _around_async, PRODUCED, None),
    (HeldPartitions, "write", _around, DELIVERED, WRITTEN),
    (RestoredPartition, "open", _around, RECOVERY, None),
    (Processor, "drain", _around_async, None, DRAIN),
    (HeldPartitions, "recover", _around_async, TAKEOVER, None),
)


def run(arguments: Sequence[str]) -> int:
    """``sluice worker`` with turnstiles and a stopwatch; its exit code."""
    folder = Path(os.environ[FOLDER])
    with stopwatch(to_file(takeovers_file(folder))), windows(turnstile(folder)):
        return main(["worker", *arguments])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
