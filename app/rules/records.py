"""A ruleset as records of the topic `rulesets`: its longer lists in parts, since a record has a limit.

A part's key is made of what it holds, so the parts of the ruleset before stay whole until the new one has taken over.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from xxhash import xxh3_128_hexdigest

from app.rules.problems import Problem, RulesetError
from schemas.control import RulesetRecord
from schemas.ruleset import Entry, Ruleset, ValueList

KEY: Final = b"ruleset"
PART_ENTRIES: Final = 10_000
_INLINE_ENTRIES: Final = 100
_MAX_BYTES: Final = 4 * 1_048_576

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(RulesetRecord).decode


def records(ruleset: Ruleset, changed_at: int, reason: str) -> dict[bytes, bytes]:
    """The records of a ruleset by their keys, its own the last: whoever has read that has read its parts.

    Raises:
        RulesetError: it is too large for one record even without the entries of its lists.
    """
    parts: dict[str, list[str]] = {}
    found: dict[bytes, bytes] = {}
    lists = []
    for each in ruleset.lists:
        if len(each.entries) > _INLINE_ENTRIES:
            made = dict(_parts(each, changed_at))
            parts[each.name] = [key.decode() for key in made]
            found |= made
        lists.append(msgspec.structs.replace(each, entries=[]) if each.name in parts else each)
    kept = msgspec.structs.replace(ruleset, lists=lists)
    own = _encode(RulesetRecord(changed_at, reason, kept, parts))
    if len(own) > _MAX_BYTES:
        message = f"it has {len(own):,} bytes and {_MAX_BYTES:,} are allowed; shorten its rules"
        raise RulesetError([Problem("the ruleset", message)])
    return found | {KEY: own}


def assembled(values: Mapping[bytes, bytes]) -> Ruleset | None:
    """The ruleset that ``values`` of the topic hold; None where none is there.

    Raises:
        RulesetError: it is none, or parts of its lists are missing, which may still come.
    """
    if KEY not in values:
        return None
    record = _record(values[KEY], "the ruleset")
    if record.ruleset is None:
        raise RulesetError([Problem("the ruleset", "the record holds none")])
    lists = [_whole(each, record.parts.get(each.name, []), values) for each in record.ruleset.lists]
    return msgspec.structs.replace(record.ruleset, lists=lists)


def _parts(each: ValueList, changed_at: int) -> Iterator[tuple[bytes, bytes]]:
    for number, entries in enumerate(_batched(each.entries)):
        digest = xxh3_128_hexdigest(_encode(entries))
        yield f"{each.name}/{number}/{digest}".encode(), _encode(RulesetRecord(changed_at, entries=entries))


def _batched(entries: list[str | Entry]) -> Iterator[list[str | Entry]]:
    for start in range(0, len(entries), PART_ENTRIES):
        yield entries[start : start + PART_ENTRIES]


def _whole(each: ValueList, parts: list[str], values: Mapping[bytes, bytes]) -> ValueList:
    entries = list(each.entries)
    for key in parts:
        value = values.get(key.encode())
        if value is None:
            raise RulesetError([Problem(f"list {each.name}", f"its part {key} is not in the topic")])
        entries += _record(value, f"list {each.name}").entries
    return msgspec.structs.replace(each, entries=entries)


def _record(value: bytes, place: str) -> RulesetRecord:
    try:
        return _decode(value)
    except msgspec.DecodeError as error:
        raise RulesetError([Problem(place, str(error))]) from None
