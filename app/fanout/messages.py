"""What partitions tell each other: columns of numbers with a head, one record for all that a step has for another.

Both kinds of messages name velocities by their ids, so that workers need not look at the same ones.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.velocity.entities import ENTITIES

LAYOUT = 2
"""Version of both messages; raise it with every change of a field or of the entities' order."""

ASK = np.dtype(
    [
        ("offset", "<i8"),  # of the order's record
        ("ts", "<i8"),  # ms
        ("believed", "<i8"),  # ms
        ("amount", "<i8"),  # 1e-4 major units
        ("order", "<u8"),
        ("unusual", "u1"),
        ("kinds", "u1"),  # a bit for each kind of entity that is asked about
        ("entities", "<u8", (len(ENTITIES),)),
    ]
)
MARK = np.dtype(
    [
        ("offset", "<i8"),  # of the label's record, or of the order's that it waited for
        ("ts", "<i8"),  # ms, of that record
        ("order_ts", "<i8"),
        ("order", "<u8"),
        ("key", "<u8"),
        ("kind", "u1"),
        ("change", "i1"),
        ("follows", "u1"),  # 1 where it waited for the order of its offset, and comes right after it
    ]
)

_ASK_HEAD = struct.Struct("<BIqqqBIIH")
_ANSWER_HEAD = struct.Struct("<BIIH")
_ID = np.dtype("<u4")

Rows = NDArray[Any]
Ids = tuple[int, ...]
"""Velocities, by `Velocity.id`."""


class BadMessage(ValueError):
    """A message of another layout, or a damaged one."""


@dataclass(frozen=True, slots=True, eq=False)
class AskBatch:
    """What partition ``source`` has for one owner: asks and marks in order, as of ``ASK`` and ``MARK``.

    Everything of the source up to event time ``watermark`` (ms) has been sent; ``idle`` says that it has read its input
    to the end. ``orders`` and ``labels`` are the next offsets of its input. ``wanted`` are the velocities that it wants
    to be told; without any it is told nothing.
    """

    source: int
    watermark: int
    orders: int
    labels: int
    idle: bool
    asks: Rows
    marks: Rows
    wanted: Ids

    def encoded(self) -> bytes:
        """The record's value."""
        head = _ASK_HEAD.pack(
            LAYOUT,
            self.source,
            self.watermark,
            self.orders,
            self.labels,
            self.idle,
            len(self.asks),
            len(self.marks),
            len(self.wanted),
        )
        return head + np.array(self.wanted, _ID).tobytes() + self.asks.tobytes() + self.marks.tobytes()

    @classmethod
    def decoded(cls, value: bytes) -> "AskBatch":
        """The message that ``encoded`` made.

        Raises:
            BadMessage: it is of another layout, or not whole.
        """
        _check(value, _ASK_HEAD)
        _, source, watermark, orders, labels, idle, asks, marks, wanted = _ASK_HEAD.unpack_from(value)
        at = _ASK_HEAD.size + wanted * _ID.itemsize
        end = at + asks * ASK.itemsize
        if len(value) != end + marks * MARK.itemsize:
            raise BadMessage(f"asks of partition {source} have {len(value)} bytes, which their numbers do not explain")
        found = np.frombuffer(value, ASK, asks, at), np.frombuffer(value, MARK, marks, end)
        return cls(source, watermark, orders, labels, bool(idle), *found, _ids(value, _ASK_HEAD.size, wanted))


@dataclass(frozen=True, slots=True, eq=False)
class AnswerBatch:
    """What ``owner`` tells the partition that asked: by ``offset`` of the order [n] the values [n, velocities] of
    ``velocities``, NaN where the order names no such entity, or one of another owner."""

    owner: int
    offsets: NDArray[np.int64]
    values: NDArray[np.float64]
    velocities: Ids

    def encoded(self) -> bytes:
        """The record's value."""
        rows, columns = self.values.shape
        head = _ANSWER_HEAD.pack(LAYOUT, self.owner, rows, columns)
        return head + np.array(self.velocities, _ID).tobytes() + self.offsets.tobytes() + self.values.tobytes()

    @classmethod
    def decoded(cls, value: bytes) -> "AnswerBatch":
        """The message that ``encoded`` made.

        Raises:
            BadMessage: it is of another layout, or not whole.
        """
        _check(value, _ANSWER_HEAD)
        _, owner, rows, columns = _ANSWER_HEAD.unpack_from(value)
        at = _ANSWER_HEAD.size + columns * _ID.itemsize
        if len(value) != at + 8 * rows * (1 + columns):
            raise BadMessage(
                f"answers of partition {owner} have {len(value)} bytes, which their numbers do not explain"
            )
        offsets = np.frombuffer(value, np.int64, rows, at)
        values = np.frombuffer(value, np.float64, rows * columns, at + 8 * rows).reshape(rows, columns)
        return cls(owner, offsets, values, _ids(value, _ANSWER_HEAD.size, columns))


def _ids(value: bytes, at: int, count: int) -> Ids:
    return tuple(np.frombuffer(value, _ID, count, at).tolist())


def _check(value: bytes, head: struct.Struct) -> None:
    if len(value) < head.size:
        raise BadMessage(f"a message has {len(value)} bytes, less than its head of {head.size}")
    if value[0] != LAYOUT:
        raise BadMessage(f"a message has layout {value[0]}; this build reads {LAYOUT}: update the other workers")
