"""From fetched bytes to events: a whole batch at a time, and record by record only to find the one that is wrong."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.kafka.fetched import Fetched
from schemas.aliases import canonical_type
from schemas.events import CLICK_CODES, ORDER_CODES, Click, Id, InputEvent, Label, Order
from schemas.outputs import FailureType
from schemas.topics import CLICKSTREAM, LABELS, ORDERS


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be processed: where it was, its original bytes, and why.

    ``timestamp`` is the record's own, in ms since the epoch, and ``trace`` its ``traceparent`` header.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    failure: FailureType
    stage: str
    error: str
    message: str
    timestamp: int
    trace: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The good records of one fetch as parallel columns, in offset order, and those that are not good.

    ``users`` are the visitors' ids, ``codes`` the type codes of the topic's catalogue, ``traces`` the
    ``traceparent`` headers (None where no record has one).
    """

    topic: str
    partition: int
    next_offset: int
    events: Sequence[InputEvent]
    users: list[str]
    ts: NDArray[np.int64]
    codes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    traces: list[bytes | None] | None
    sources: list[int]
    fetched: Fetched
    rejected: list[Rejected]
    unknown_fields: int

    def __len__(self) -> int:
        return len(self.users)

    def reject(self, index: int, failure: FailureType, stage: str, error: str, message: str) -> Rejected:
        """The good record at ``index`` as a rejected one, for reasons found after decoding."""
        return _rejected(self.fetched, self.sources[index], failure, stage, error, message)


class _Problem(Exception):
    """Why one record is rejected."""

    def __init__(self, failure: FailureType, error: str, message: str) -> None:
        super().__init__(message)
        self.failure, self.error = failure, error


@dataclass(frozen=True)
class _Format:
    """How the records of one input topic are read."""

    decoder: msgspec.json.Decoder[InputEvent]
    codes: Mapping[str, int] | None  # None: the type is not read
    fields: frozenset[str]


def _format(struct: type[InputEvent], codes: Mapping[str, int] | None) -> _Format:
    return _Format(msgspec.json.Decoder(struct), codes, frozenset(struct.__struct_encode_fields__))


_FORMATS: Final[dict[str, _Format]] = {
    CLICKSTREAM: _format(Click, CLICK_CODES),
    ORDERS: _format(Order, ORDER_CODES),
    LABELS: _format(Label, None),
}
_SAMPLE_EVERY: Final = 128  # records per look for unknown fields; the first of a fetch is always looked at


class Decoder:
    """Decodes fetches of the input topics.

    Args:
        max_value_bytes: larger values are rejected unread.
        in_partition: whether a visitor without a record key belongs in this partition, see ``_check_key``.
    """

    def __init__(self, max_value_bytes: int, in_partition: Callable[[str, int], bool]) -> None:
        self._max_value_bytes = max_value_bytes
        self._in_partition = in_partition

    def decode(self, fetched: Fetched) -> Decoded:
        """Decode every record of ``fetched``; those that do not fit are in ``rejected``, none raises."""
        format_ = _FORMATS[fetched.topic]
        columns = self._whole(fetched, format_)
        rejected: list[Rejected] = []
        if columns is None:
            columns, rejected = self._one_by_one(fetched, format_)
        events, users, codes, sources = columns
        offsets = np.asarray(fetched.offsets, np.int64)
        return Decoded(
            topic=fetched.topic,
            partition=fetched.partition,
            next_offset=fetched.next_offset,
            events=events,
            users=users,
            ts=np.array([event.ts for event in events], np.int64),
            codes=np.array(codes, np.int64),
            offsets=offsets if len(sources) == len(offsets) else offsets[sources],
            traces=_traces(fetched, sources),
            sources=sources,
            fetched=fetched,
            rejected=rejected,
            unknown_fields=_unknown_fields(fetched, format_, sources),
        )

    def _whole(self, fetched: Fetched, format_: _Format) -> "_Columns | None":
        """All records by one joined decode; None if any of them needs a closer look."""
        values = fetched.values
        if fetched.size > self._max_value_bytes and any(
            value is not None and len(value) > self._max_value_bytes for value in values
        ):
            return None
        try:
            joined = b"\n".join(values)  # type: ignore[arg-type]
            if joined.count(b"\n") != len(values) - 1:
                return None  # with a line for each, no record can end within another
            events = format_.decoder.decode_lines(joined)
        except (msgspec.DecodeError, TypeError, UnicodeDecodeError, RecursionError):
            return None
        users = [event.user_id or event.anonymous_id for event in events]
        if len(events) != len(values) or [user and user.encode() for user in users] != fetched.keys:
            return None
        if None in users:
            return None
        codes = [0] * len(events)
        if format_.codes is not None:
            try:
                codes = [format_.codes[event.type] for event in events]
            except KeyError:
                return None
        return events, users, codes, list(range(len(events)))  # type: ignore[return-value]

    def _one_by_one(self, fetched: Fetched, format_: _Format) -> tuple["_Columns", list[Rejected]]:
        events: list[InputEvent] = []
        users: list[str] = []
        codes: list[int] = []
        sources: list[int] = []
        rejected: list[Rejected] = []
        for index, value in enumerate(fetched.values):
            try:
                event, user, code = self._one(fetched, index, value, format_)
            except _Problem as problem:
                rejected.append(_rejected(fetched, index, problem.failure, "decode", problem.error, str(problem)))
                continue
            events.append(event)
            users.append(user)
            codes.append(code)
            sources.append(index)
        return (events, users, codes, sources), rejected

    def _one(self, fetched: Fetched, index: int, value: bytes | None, format_: _Format) -> tuple[InputEvent, str, int]:
        event = self._parse(value, format_)
        key = fetched.keys[index]
        user = event.user_id or event.anonymous_id
        if user is None and isinstance(event, Label):
            user = _user_of(key)
        if user is None:
            raise _violation("Object has neither `user_id` nor `anonymous_id`, and the key is no visitor's id either")
        self._check_key(key, user, fetched.partition)
        return event, user, _code(event, format_)

    def _parse(self, value: bytes | None, format_: _Format) -> InputEvent:
        if value is None:
            raise _violation("The value is null; an input event is a JSON object")
        if len(value) > self._max_value_bytes:
            message = f"The value has {len(value)} bytes; the limit is {self._max_value_bytes}"
            raise _Problem(FailureType.SIZE_VIOLATION, "ValueError", message)
        try:
            return format_.decoder.decode(value)
        except msgspec.ValidationError as error:
            raise _violation(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if _has_constant(value):
                raise _violation("A number is NaN or infinite") from error
            name = type(error).__name__
            raise _Problem(FailureType.MALFORMED_JSON, name, str(error)) from error

    def _check_key(self, key: bytes | None, user: str, partition: int) -> None:
        """State lives where the key is: a record under another key would split its visitor in two."""
        if key == user.encode():
            return
        if key is not None:
            raise _violation(f"The record's key {key[:64]!r} is not the payload's user {user[:64]!r}")
        if not self._in_partition(user, partition):
            raise _violation(f"The record has no key and partition {partition} is not that of user {user[:64]!r}")


_Columns = tuple[Sequence[InputEvent], list[str], list[int], list[int]]


def _violation(message: str) -> _Problem:
    return _Problem(FailureType.SCHEMA_VIOLATION, "ValidationError", message)


def _has_constant(value: bytes) -> bool:
    """Whether this is JSON but for numbers that JSON does not have: NaN, Infinity, -Infinity."""
    found: list[str] = []
    try:
        json.loads(value, parse_constant=found.append)
    except (ValueError, RecursionError):
        return False
    return bool(found)


def _user_of(key: bytes | None) -> str | None:
    """The visitor that a record key names, None if it cannot be one's id."""
    try:
        return msgspec.convert((key or b"").decode(), Id)
    except (UnicodeDecodeError, msgspec.ValidationError):
        return None


def _code(event: InputEvent, format_: _Format) -> int:
    if format_.codes is None:
        return 0
    name = event.type if event.type in format_.codes else canonical_type(event.type)
    if name is None or name not in format_.codes:
        raise _violation(f"Unknown type {event.type[:64]!r} - at `$.type`")
    return format_.codes[name]


def _rejected(fetched: Fetched, index: int, failure: FailureType, stage: str, error: str, message: str) -> Rejected:
    return Rejected(
        topic=fetched.topic,
        partition=fetched.partition,
        offset=int(fetched.offsets[index]),
        key=fetched.keys[index],
        value=fetched.values[index],
        failure=failure,
        stage=stage,
        error=error,
        message=message,
        timestamp=int(fetched.timestamps[index]),
        trace=_trace(fetched, index),
    )


def _trace(fetched: Fetched, index: int) -> bytes | None:
    return dict(fetched.headers[index]).get("traceparent") if fetched.headers else None


def _traces(fetched: Fetched, sources: list[int]) -> list[bytes | None] | None:
    if fetched.headers is None:
        return None
    found = [_trace(fetched, index) for index in sources]
    return found if any(found) else None


def _unknown_fields(fetched: Fetched, format_: _Format, sources: list[int]) -> int:
    """Fields that the contract does not name, in every 128th record of the fetch."""
    found = 0
    for index in sources[::_SAMPLE_EVERY]:
        try:
            fields: dict[str, msgspec.Raw] = _FIELDS.decode(fetched.values[index] or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError):
            found += 1  # the name of a field is not UTF-8
            continue
        found += len(fields.keys() - format_.fields)
    return found


_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
