"""From fetched bytes to columns: events, their visitors and the codes of their types, and what does not fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.events.parse import FORMATS, Format, Problem, parse, violation
from app.kafka.fetched import Fetched
from schemas.events import Id, InputEvent, Label
from schemas.outputs import FailureType


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


_OTHER: Final = -1  # no type of ours by this name
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
        format_ = FORMATS[fetched.topic]
        problems: dict[int, Problem] = {}
        events = parse(fetched.values, format_, self._max_value_bytes, problems)
        sources = _without(range(len(fetched)), problems)
        users = self._users(fetched, events, sources, problems)
        codes = _codes(format_, events, sources, problems)
        if len(sources) + len(problems) > len(fetched):
            kept = [place for place, source in enumerate(sources) if source not in problems]
            events, users = [events[place] for place in kept], [users[place] for place in kept]
            codes, sources = [codes[place] for place in kept], [sources[place] for place in kept]
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
            rejected=[
                _rejected(fetched, index, problem.failure, "decode", problem.error, str(problem))
                for index, problem in sorted(problems.items())
            ],
            unknown_fields=_unknown_fields(fetched, format_, sources),
        )

    def _users(
        self, fetched: Fetched, events: Sequence[InputEvent], sources: list[int], problems: dict[int, Problem]
    ) -> list[str]:
        """The visitor of each event; none, and a problem, where record and event do not agree on one."""
        keys = fetched.keys if len(sources) == len(fetched) else [fetched.keys[index] for index in sources]
        users = [event.user_id or event.anonymous_id or "" for event in events]
        if [user.encode() for user in users] == keys and "" not in users:
            return users
        for place, (user, key) in enumerate(zip(users, keys, strict=True)):
            if not user or user.encode() != key:
                try:
                    users[place] = self._user(events[place], key, fetched.partition)
                except Problem as problem:
                    problems[sources[place]] = problem
        return users

    def _user(self, event: InputEvent, key: bytes | None, partition: int) -> str:
        user = event.user_id or event.anonymous_id
        if user is None and isinstance(event, Label):
            user = _user_of(key)
        if user is None:
            raise violation("Object has neither `user_id` nor `anonymous_id`, and the key is no visitor's id either")
        self._check_key(key, user, partition)
        return user

    def _check_key(self, key: bytes | None, user: str, partition: int) -> None:
        """State lives where the key is: a record under another key would split its visitor in two."""
        if key == user.encode():
            return
        if key is not None:
            raise violation(f"The record's key {key[:64]!r} is not the payload's user {user[:64]!r}")
        if not self._in_partition(user, partition):
            raise violation(f"The record has no key and partition {partition} is not that of user {user[:64]!r}")


def _codes(
    format_: Format, events: Sequence[InputEvent], sources: list[int], problems: dict[int, Problem]
) -> list[int]:
    """The code of each event's type; any, and a problem, where there is no such type."""
    if format_.codes is None:
        return [0] * len(events)
    get = format_.codes.get
    codes = [get(event.type, _OTHER) for event in events]
    if _OTHER in codes:
        for place in [place for place, code in enumerate(codes) if code == _OTHER]:
            try:
                codes[place] = format_.code(events[place].type)
            except Problem as problem:
                problems.setdefault(sources[place], problem)
    return codes


def _without(indexes: range, problems: Mapping[int, Problem]) -> list[int]:
    return [index for index in indexes if index not in problems] if problems else list(indexes)


def _user_of(key: bytes | None) -> str | None:
    """The visitor that a record key names, None if it cannot be one's id."""
    try:
        return msgspec.convert((key or b"").decode(), Id)
    except (UnicodeDecodeError, msgspec.ValidationError):
        return None


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


def _unknown_fields(fetched: Fetched, format_: Format, sources: list[int]) -> int:
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
