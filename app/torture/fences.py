"""Who wrote an output partition, as its log on the broker's disk tells: a fenced writer never comes back.

Every record batch names its producer and that producer's epoch (KIP-98); plain consumers hide both. Whoever takes an
input partition over gets a higher epoch of the same producer id. Source of the layout: Kafka's documentation,
"Record Batch", message format version 2.
"""

import struct
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_FROM = 12  # the length counts what follows offset and length
_CONTROL, _TRANSACTIONAL = 0x20, 0x10


class Writer(NamedTuple):
    """A producer in one of its lives."""

    producer_id: int
    epoch: int


def fence_faults(logs: Path, topic: str, partition: int) -> Iterator[str]:
    """Where a writer of an output partition wrote after its successor had.

    Args:
        logs: the folder of the broker's topics.
        topic: of outputs that transactions carry.
        partition: of it.
    """
    latest: Writer | None = None
    left: set[Writer] = set()
    for offset, writer in _writers(logs / f"{topic}-{partition}"):
        if latest is not None and writer != latest:
            left.add(latest)
            if writer in left or (writer.producer_id == latest.producer_id and writer.epoch < latest.epoch):
                yield f"{topic}[{partition}] offset {offset}: {writer} wrote although {latest} had"
        latest = writer


def _writers(folder: Path) -> Iterator[tuple[int, Writer]]:
    """Offset and writer of every batch of records in a transaction."""
    for segment in sorted(folder.glob("*.log")):
        if segment.stat().st_size:
            with segment.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                yield from _batches(data)


def _batches(data: mmap) -> Iterator[tuple[int, Writer]]:
    at = 0
    while at + _HEADER.size <= len(data):
        offset, length, _, _, _, attributes, _, _, _, producer_id, epoch, _, _ = _HEADER.unpack_from(data, at)
        if length <= 0:  # the part of a segment that is reserved and not written
            return
        if attributes & _TRANSACTIONAL and not attributes & _CONTROL:
            yield offset, Writer(producer_id, epoch)
        at += _LENGTH_FROM + length
