"""Parsing: a record that is wrong is found, and costs little more than itself."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.parse import FORMATS, Format, Problem, parse
from schemas.events import InputEvent
from schemas.topics import CLICKSTREAM
from tests.harness import click
from tests.schemas.strategies import unhurried

LIMIT = 1_000
GOOD = [click("u", number, str(number)).value for number in range(2_000)]
BAD: list[bytes | None] = [
    None,
    b"",
    b"bad",
    b"{}",
    b"{\n}",
    b"\n",
    (GOOD[0] or b"") + b"\n" + (GOOD[1] or b""),
    (GOOD[0] or b"")[:-1],
    b'"\xff"',
    b" " * (LIMIT + 1),
]


class Counting:
    """Counts the records that are decoded one by one."""

    def __init__(self, decoder: msgspec.json.Decoder[InputEvent]) -> None:
        self.alone = 0
        self._decoder = decoder

    def decode(self, value: bytes) -> InputEvent:
        self.alone += 1
        return self._decoder.decode(value)

    def decode_lines(self, value: bytes) -> list[InputEvent]:
        return self._decoder.decode_lines(value)


def parsed(values: Sequence[bytes | None], format_: Format = FORMATS[CLICKSTREAM]) -> tuple[list[str], list[int]]:
    problems: dict[int, Problem] = {}
    events = parse(values, format_, LIMIT, problems)
    return [event.event_id for event in events], sorted(problems)


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_record_is_decoded_alone_and_few_others_with_it(bad: bytes | None) -> None:
    known = FORMATS[CLICKSTREAM]
    decoder = Counting(known.decoder)
    values = [*GOOD[:700], bad, *GOOD[700:]]
    format_ = Format(decoder, known.codes, known.fields)  # type: ignore[arg-type]
    assert parsed(values, format_) == ([str(number) for number in range(2_000)], [700])
    assert decoder.alone <= 256


@unhurried
@given(st.lists(st.one_of(st.just(None), st.sampled_from(BAD)), max_size=60))
def test_wherever_they_are_the_bad_are_found_and_the_good_are_kept(picked: list[bytes | None]) -> None:
    """None in ``picked`` stands for a good record."""
    values = [GOOD[index] if value is None else value for index, value in enumerate(picked)]
    good = [index for index, value in enumerate(picked) if value is None]
    bad = [index for index, value in enumerate(picked) if value is not None]
    assert parsed(values) == ([str(index) for index in good], bad)


def test_good_records_are_never_decoded_alone() -> None:
    known = FORMATS[CLICKSTREAM]
    decoder = Counting(known.decoder)
    assert parsed(GOOD, Format(decoder, known.codes, known.fields))[1] == []  # type: ignore[arg-type]
    assert parsed([]) == ([], [])
    assert decoder.alone == 0
