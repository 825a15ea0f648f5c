"""From bytes to events: many records by one call, and one by one only where one of them is wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import msgspec

from schemas.aliases import canonical_type
from schemas.events import CLICK_CODES, ORDER_CODES, Click, InputEvent, Label, Order
from schemas.outputs import FailureType
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

_TOGETHER: Final = 256  # records of one call: enough to make it cheap, and few where one is wrong


class Problem(Exception):
    """Why one record is rejected."""

    def __init__(self, failure: FailureType, error: str, message: str) -> None:
        super().__init__(message)
        self.failure, self.error = failure, error


def violation(message: str) -> Problem:
    """The record does not fit the contract."""
    return Problem(FailureType.SCHEMA_VIOLATION, "ValidationError", message)


@dataclass(frozen=True)
class Format:
    """How the records of one input topic are read."""

    decoder: msgspec.json.Decoder[InputEvent]
    codes: Mapping[str, int] | None  # None: the type is not read
    fields: frozenset[str]

    def code(self, name: str) -> int:
        """The code of a type by our name or another vocabulary's.

        Raises:
            Problem: there is no such type here.
        """
        known = canonical_type(name)
        if known is None or self.codes is None or known not in self.codes:
            raise violation(f"Unknown type {name[:64]!r} - at `$.type`")
        return self.codes[known]


def _format(struct: type[InputEvent], codes: Mapping[str, int] | None) -> Format:
    return Format(msgspec.json.Decoder(struct), codes, frozenset(struct.__struct_encode_fields__))


FORMATS: Final[Mapping[str, Format]] = {
    CLICKSTREAM: _format(Click, CLICK_CODES),
    ORDERS: _format(Order, ORDER_CODES),
    LABELS: _format(Label, None),
}
"""By input topic."""


def parse(
    values: Sequence[bytes | None], format_: Format, max_bytes: int, problems: dict[int, Problem]
) -> list[InputEvent]:
    """The events of ``values`` in order, without those that have one of the ``problems``, which are added by index.

    Args:
        values: of records.
        format_: of their topic.
        max_bytes: larger values are not read.
        problems: by the record's index.
    """
    events: list[InputEvent] = []
    for start in range(0, len(values), _TOGETHER):
        some = values[start : start + _TOGETHER]
        together = _together(some, format_, max_bytes)
        events += _one_by_one(some, format_, max_bytes, problems, start) if together is None else together
    return events


def _one_by_one(
    values: Sequence[bytes | None], format_: Format, max_bytes: int, problems: dict[int, Problem], start: int
) -> list[InputEvent]:
    events = []
    for index, value in enumerate(values, start):
        try:
            events.append(_alone(value, format_, max_bytes))
        except Problem as problem:
            problems[index] = problem
    return events


def _together(values: Sequence[bytes | None], format_: Format, max_bytes: int) -> Sequence[InputEvent] | None:
    """The events by one joined decode; None if any of them needs a closer look."""
    present = cast(Sequence[bytes], values)  # if not, joining them raises
    try:
        joined = b"\n".join(present)
        if len(joined) > max_bytes and max(map(len, present)) > max_bytes:
            return None
        if joined.count(b"\n") != len(present) - 1:
            return None  # with a line for each, no record can end within another
        events = format_.decoder.decode_lines(joined)
    except (msgspec.DecodeError, TypeError, UnicodeDecodeError, RecursionError):
        return None
    return events if len(events) == len(present) else None


def _alone(value: bytes | None, format_: Format, max_bytes: int) -> InputEvent:
    if value is None:
        raise violation("The value is null; an input event is a JSON object")
    if len(value) > max_bytes:
        message = f"The value has {len(value)} bytes; the limit is {max_bytes}"
        raise Problem(FailureType.SIZE_VIOLATION, "ValueError", message)
    try:
        return format_.decoder.decode(value)
    except msgspec.ValidationError as error:
        raise violation(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _has_constant(value):
            raise violation("A number is NaN or infinite") from error
        name = type(error).__name__
        raise Problem(FailureType.MALFORMED_JSON, name, str(error)) from error


def _has_constant(value: bytes) -> bool:
    """Whether this is JSON but for numbers that JSON does not have: NaN, Infinity, -Infinity."""
    found: list[str] = []
    try:
        json.loads(value, parse_constant=found.append)
    except (ValueError, RecursionError):
        return False
    return bool(found)
