"""What a partition knows of its users and entities, as a file: it spares a restart the topic that it follows from.

It stands for an offset of `velocity-asks`, and is written only when the topic has everything that it includes. A file
that is not whole, of another layout, or that the topic does not continue is left alone, and the topic read from its
beginning.
"""

import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.fanout import messages
from app.fanout.partition import Resume
from app.velocity.entities import ENTITIES
from app.velocity.logs import FIELDS, StoredLogs

LAYOUT = 3
"""Version of the file; raise it with every change of what is in it. The messages' counts too: they are in it."""

_LOGS = ("keys", "kind", "length", "added", "latest")

Columns = Mapping[str, NDArray[Any]]
Unusable = Literal["damaged", "layout", "ahead", "behind"]


class SnapshotUnusable(Exception):
    """A snapshot that must not be used: ``reason`` is why."""

    def __init__(self, path: Path, reason: Unusable, found: str) -> None:
        super().__init__(f"snapshot {path}: {found}; the partition is read from the beginning of its topic")
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A partition as of ``offset`` of its asks: where its inputs go on, before which offset everything reached all
    owners, its users' logs and latest orders, the labels that wait, what waits at the owner, and the other entities'
    logs."""

    offset: int
    resume: Resume
    confirmed: int
    users: StoredLogs
    labels: NDArray[np.void]
    recent: Columns
    merger: Columns
    others: StoredLogs


def path(folder: Path, partition: int) -> Path:
    """Where the snapshot of a partition is."""
    return folder / f"{partition}.npz"


def write(path: Path, snapshot: Snapshot) -> None:
    """Put a snapshot in the place of the one that was there, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(_columns(snapshot)))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read(path: Path, begin: int, end: int) -> Snapshot | None:
    """The snapshot at ``path``, None if there is none.

    Args:
        path: where it was written.
        begin, end: the offsets that the topic has.

    Raises:
        SnapshotUnusable: it is damaged, of another layout, or of another stretch of the topic.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file) as stored:
            columns = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SnapshotUnusable(path, "damaged", f"it cannot be read ({error})") from error
    if (layout := columns.get("layout", np.zeros(0)).tolist()) != _layout():
        raise SnapshotUnusable(path, "layout", f"it has layout {layout}, this build writes {_layout()}")
    snapshot = _snapshot(columns)
    if snapshot.offset > end:
        raise SnapshotUnusable(path, "ahead", f"it is of offset {snapshot.offset}, the topic ends at {end}")
    if snapshot.offset < begin:
        raise SnapshotUnusable(path, "behind", f"it is of offset {snapshot.offset}, the topic begins at {begin}")
    return snapshot


def _layout() -> list[int]:
    return [LAYOUT, messages.LAYOUT, len(ENTITIES), len(FIELDS)]


def _columns(snapshot: Snapshot) -> Iterator[tuple[str, NDArray[Any]]]:
    resume = snapshot.resume
    numbers = (snapshot.offset, snapshot.confirmed, resume.orders, resume.labels, resume.watermark)
    yield "layout", np.array(_layout())
    yield "numbers", np.array(numbers, np.int64)
    yield "labels", snapshot.labels
    for part, stored in (("recent", snapshot.recent), ("merger", snapshot.merger)):
        for name, column in stored.items():
            yield f"{part}.{name}", column
    for part, logs in (("users", snapshot.users), ("others", snapshot.others)):
        for name in _LOGS:
            yield f"{part}.{name}", getattr(logs, name)
        for name, column in logs.columns.items():
            yield f"{part}.columns.{name}", column


def _snapshot(columns: Columns) -> Snapshot:
    offset, confirmed, *resume = columns["numbers"].tolist()
    users, others = _logs(columns, "users."), _logs(columns, "others.")
    recent, merger = (_part(columns, f"{part}.") for part in ("recent", "merger"))
    return Snapshot(offset, Resume(*resume), confirmed, users, columns["labels"], recent, merger, others)


def _logs(columns: Columns, prefix: str) -> StoredLogs:
    own = _part(columns, prefix)
    return StoredLogs(**{name: own[name] for name in _LOGS}, columns=_part(own, "columns."))


def _part(columns: Columns, prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): column for name, column in columns.items() if name.startswith(prefix)}
