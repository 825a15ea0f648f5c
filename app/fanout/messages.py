"""What partitions tell each other: columns of numbers with a head, one record for all that a step has for a partition.

Both kinds of messages name velocities by their ids, so that workers need not look at the same ones.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.velocity.entities import ENTITIES

LAYOUT = 5
"""Version of all messages; raise it with every change of a field or of the entities' order."""

ASK = np.dtype(
    [
        ("offset", "<i8"),  # of the order's record
        ("ts", "<i8"),  # ms
        ("believed", "<i8"),  # ms
        ("amount", "<i8"),  # 1e-4 major units
        ("event", "<u8"),
        ("order", "<u8"),
        ("unusual", "u1"),
        ("kinds", "u1"),  # a bit for each kind of entity that this owner has
        ("entities", "<u8", (len(ENTITIES),)),
    ]
)
MARK = np.dtype(
    [
        ("offset", "<i8"),  # of the label's record, or of the order's that it waited for
        ("ts", "<i8"),  # ms, of that record, as far as it is believed
        ("order_ts", "<i8"),
        ("order", "<u8"),
        ("key", "<u8"),
        ("kind", "u1"),  # of the entity; or `WAITS`, that the label waits
        ("change", "i1"),
        ("follows", "u1"),  # 1 where it waited for the order of its offset, and comes right after it
    ]
)

_ASK_HEAD = struct.Struct("<BIqqqqqBIIH")
_ANSWER_HEAD = struct.Struct("<BBIHH")
_LENGTH = struct.Struct("<I")
_LAYOUT_BYTE = struct.Struct("<B")
_ASKED_HEAD = struct.Struct("<BBIqIHHI")
_ANSWER, _ASKED = 0, 1  # what the second byte of what comes back says it is
_ID = np.dtype("<u4")

Rows = NDArray[Any]
Ids = tuple[int, ...]
"""Velocities, by `Velocity.id`."""


TAKES_OVER = -1
"""In the place of an epoch: a worker takes the partition over. The offset of that very record, in the partition's own
topic partition, is the epoch of all that it writes from then on: so the log itself says who came after whom."""


class BadMessage(ValueError):
    """A message of another layout, or a damaged one."""


class AskHead(NamedTuple):
    """Who wrote a message: partition ``source``, and the ``epoch`` of the worker that had it."""

    source: int
    epoch: int


@dataclass(frozen=True, slots=True, eq=False)
class AskBatch:
    """What partition ``source`` has for one owner: asks and marks in order, as of ``ASK`` and ``MARK``.

    Everything of the source up to event time ``watermark`` (ms) has been sent (0: that is not known);
    ``idle`` says that it has read its input
    to the end. ``orders`` and ``labels`` are the next offsets of its input. ``wanted`` are the velocities that it wants
    to be told; without any it is told nothing. An owner that has heard of a higher ``epoch`` of the source leaves the
    message out: its writer has lost the partition.

    What a partition writes to its own owner is the whole of what it asks: all orders, those of users with their bit,
    repeated ones without any entity, marks of all kinds, and labels that wait. What lies before offset ``confirmed``
    there has reached all owners.
    """

    source: int
    watermark: int
    orders: int
    labels: int
    idle: bool
    asks: Rows
    marks: Rows
    wanted: Ids
    epoch: int = 0
    confirmed: int = 0

    @classmethod
    def takeover(cls, source: int, epoch: int = TAKES_OVER) -> "AskBatch":
        """The first message of whoever takes a partition over."""
        return cls(source, 0, 0, 0, False, np.zeros(0, ASK), np.zeros(0, MARK), (), epoch)

    @property
    def is_takeover(self) -> bool:
        """Whether it says nothing but who writes from now on."""
        return not (self.rows or self.orders or self.labels or self.idle)

    @property
    def rows(self) -> int:
        """Asks and marks."""
        return len(self.asks) + len(self.marks)

    def part(self, asks: Rows, marks: Rows) -> "AskBatch":
        """The same with these asks and marks alone."""
        head = (self.source, self.watermark, self.orders, self.labels, self.idle)
        return AskBatch(*head, asks, marks, self.wanted, self.epoch, self.confirmed)

    def encoded(self) -> bytes:
        """As it is written."""
        head = _ASK_HEAD.pack(
            LAYOUT,
            self.source,
            self.epoch,
            self.watermark,
            self.orders,
            self.labels,
            self.confirmed,
            self.idle,
            len(self.asks),
            len(self.marks),
            len(self.wanted),
        )
        return head + np.array(self.wanted, _ID).tobytes() + self.asks.tobytes() + self.marks.tobytes()

    @staticmethod
    def head(value: bytes) -> AskHead:
        """Who wrote a message, without the rest.

        Raises:
            BadMessage: it is of another layout, or not whole.
        """
        _check(value, _ASK_HEAD)
        return AskHead(*_ASK_HEAD.unpack_from(value)[1:3])

    @classmethod
    def decoded(cls, value: bytes) -> "AskBatch":
        """The message that ``encoded`` made.

        Raises:
            BadMessage: it is of another layout, or not whole.
        """
        _check(value, _ASK_HEAD)
        _, source, epoch, watermark, orders, labels, confirmed, idle, asks, marks, wanted = _ASK_HEAD.unpack_from(value)
        at = _ASK_HEAD.size + wanted * _ID.itemsize
        end = at + asks * ASK.itemsize
        if len(value) != end + marks * MARK.itemsize:
            raise BadMessage(f"asks of partition {source} have {len(value)} bytes, which their numbers do not explain")
        found = np.frombuffer(value, ASK, asks, at), np.frombuffer(value, MARK, marks, end)
        ids = _ids(value, _ASK_HEAD.size, wanted)
        return cls(source, watermark, orders, labels, bool(idle), *found, ids, epoch, confirmed)


@dataclass(frozen=True, slots=True, eq=False)
class AnswerBatch:
    """What ``owners`` [n, partitions] tell the partition that asked: by ``offset`` of the order [n] the values
    [n, velocities] of ``velocities``, NaN where the order names no such entity, or one of another owner."""

    offsets: NDArray[np.int64]
    values: NDArray[np.float64]
    velocities: Ids
    owners: NDArray[np.bool_]

    def encoded(self) -> bytes:
        """As it is written."""
        rows, columns = self.values.shape
        head = _ANSWER_HEAD.pack(LAYOUT, _ANSWER, rows, columns, self.owners.shape[1])
        parts = np.array(self.velocities, _ID), self.offsets, self.values, np.packbits(self.owners)
        return head + b"".join(part.tobytes() for part in parts)

    @classmethod
    def decoded(cls, value: bytes) -> "AnswerBatch":
        """The message that ``encoded`` made.

        Raises:
            BadMessage: it is of another layout, or not whole.
        """
        _check(value, _ANSWER_HEAD)
        _, _, rows, columns, partitions = _ANSWER_HEAD.unpack_from(value)
        at = _ANSWER_HEAD.size + columns * _ID.itemsize
        bits = at + 8 * rows * (1 + columns)
        if len(value) != bits + -(-rows * partitions // 8):
            raise BadMessage(f"answers have {len(value)} bytes, which their numbers do not explain")
        offsets = np.frombuffer(value, np.int64, rows, at)
        values = np.frombuffer(value, np.float64, rows * columns, at + 8 * rows).reshape(rows, columns)
        owners = _flags(value, bits, rows, partitions)
        return cls(offsets, values, _ids(value, _ANSWER_HEAD.size, columns), owners)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Orders [n] by their offsets, with the values [n, own] of the velocities ``own`` of their users, and the owners
    [n, partitions] that will tell those that are ``wanted`` of other entities; none tells anything of ``repeated`` ones
    [n]. All orders before ``next_offset`` have been asked about, but those that do not decode.

    A partition writes it among its answers, for whoever takes the partition over.
    """

    partition: int
    offsets: NDArray[np.int64]
    next_offset: int
    own: Ids
    values: NDArray[np.float64]
    wanted: Ids
    owners: NDArray[np.bool_]
    repeated: NDArray[np.bool_]

    def encoded(self) -> bytes:
        """As it is written."""
        rows, partitions = self.owners.shape
        sizes = rows, len(self.own), len(self.wanted), partitions
        head = _ASKED_HEAD.pack(LAYOUT, _ASKED, self.partition, self.next_offset, *sizes)
        bits = np.packbits(np.column_stack((self.owners, self.repeated)))
        columns = np.array((*self.own, *self.wanted), _ID), self.offsets, self.values, bits
        return head + b"".join(column.tobytes() for column in columns)

    @classmethod
    def decoded(cls, value: bytes) -> "Asked":
        """The message that ``encoded`` made.

        Raises:
            BadMessage: it is of another layout, or not whole.
        """
        _check(value, _ASKED_HEAD)
        _, _, partition, next_offset, rows, own, wanted, partitions = _ASKED_HEAD.unpack_from(value)
        at = _ASKED_HEAD.size + (own + wanted) * _ID.itemsize
        bits = at + 8 * rows * (1 + own)
        if len(value) != bits + -(-rows * (partitions + 1) // 8):
            raise BadMessage(f"what partition {partition} asked has {len(value)} bytes, not those of its numbers")
        ids = _ids(value, _ASKED_HEAD.size, own + wanted)
        offsets = np.frombuffer(value, np.int64, rows, at)
        values = np.frombuffer(value, np.float64, rows * own, at + 8 * rows).reshape(rows, own)
        flags = _flags(value, bits, rows, partitions + 1)
        return cls(partition, offsets, next_offset, ids[:own], values, ids[own:], flags[:, :-1], flags[:, -1])


def packed(messages: Sequence[bytes]) -> bytes:
    """The value of the record that has ``messages``, in their order."""
    return bytes((LAYOUT,)) + b"".join(_LENGTH.pack(len(message)) + message for message in messages)


def unpacked(value: bytes) -> list[bytes]:
    """The messages of a record.

    Raises:
        BadMessage: it is of another layout, or not whole.
    """
    _check(value, _LAYOUT_BYTE)
    found, at = [], _LAYOUT_BYTE.size
    while at < len(value):
        start = at + _LENGTH.size
        at = start + (_LENGTH.unpack_from(value, at)[0] if start <= len(value) else 0)
        if at > len(value) or start > len(value):
            raise BadMessage(f"a record has {len(value)} bytes, less than its messages")
        found.append(value[start:at])
    return found


def come_back(value: bytes) -> AnswerBatch | Asked:
    """A message among the answers.

    Raises:
        BadMessage: it is of another layout, or not whole.
    """
    _check(value, _ANSWER_HEAD)
    return Asked.decoded(value) if value[1] == _ASKED else AnswerBatch.decoded(value)


def rows_joined(parts: Sequence[Rows], dtype: np.dtype[np.void]) -> Rows:
    """Rows of one layout one part after the other. (NumPy compares the fields of each part by itself, which costs more
    than the rows of a step.)"""
    plain = np.dtype((np.void, dtype.itemsize))
    return np.concatenate([np.zeros(0, plain), *(part.view(plain) for part in parts)]).view(dtype)


def _flags(value: bytes, at: int, rows: int, columns: int) -> NDArray[np.bool_]:
    bits = np.frombuffer(value, np.uint8, -1, at) if rows * columns else np.zeros(0, np.uint8)
    return np.unpackbits(bits, count=rows * columns).astype(np.bool_).reshape(rows, columns)


def _ids(value: bytes, at: int, count: int) -> Ids:
    return tuple(np.frombuffer(value, _ID, count, at).tolist())


def _check(value: bytes, head: struct.Struct) -> None:
    if len(value) < head.size:
        raise BadMessage(f"a message has {len(value)} bytes, less than its head of {head.size}")
    if value[0] != LAYOUT:
        raise BadMessage(f"a message has layout {value[0]}; this build reads {LAYOUT}: update the other workers")
