"""Files of recorded events, opened as one recording."""

from collections.abc import Sequence
from pathlib import Path

from app.cli.errors import UsageProblem
from app.replay.adapters.registry import ADAPTERS
from app.replay.ordered import OrderedRecording
from app.replay.recorded import Recording


def open_recording(files: Sequence[Path], kind: str, batch_rows: int = 8192) -> Recording:
    """The events of all files as one stream in event-time order, in batches of at most `batch_rows`.

    `kind` is a name in ADAPTERS. Parquet, CSV and JSON lines are told apart by suffix. The columns that are
    used stay in memory (payments-handbook: 80 bytes a row); payloads are made batch by batch.
    Raises UsageProblem for an unknown kind, a file that is missing or unreadable, or columns that do not fit.
    """
    adapter = ADAPTERS.get(kind)
    if adapter is None:
        raise UsageProblem(f"there is no adapter {kind!r}; use one of {', '.join(ADAPTERS)}")
    if not files:
        raise UsageProblem("name at least one file to replay")
    return OrderedRecording(adapter(files), batch_rows)
