"""Dead letters are CloudEvents as other outputs are, whatever their bytes and times."""

from dataclasses import replace

import numpy as np
import pytest

from app.publish.outgoing import cloud_event
from schemas.headers import CLOUD_EVENT_HEADERS, DEAD_LETTER_HEADERS
from schemas.topics import BY_NAME, CLICKSTREAM, DEAD_LETTER
from tests.harness import MINUTE, START, Worker, click, raw


def test_dead_letters_are_cloudevents_named_after_the_place_of_their_input() -> None:
    worker = Worker()
    (letter,) = worker.run(raw(b"bad", headers=[("traceparent", b"00-bad-01")]))
    assert set(letter.headers) == set(CLOUD_EVENT_HEADERS) | set(DEAD_LETTER_HEADERS)
    assert letter.header("ce_id") == f"{CLICKSTREAM}/0/0"
    assert letter.header("ce_type") == BY_NAME[DEAD_LETTER].ce_type
    assert letter.header("content-type") == "application/octet-stream"
    assert letter.header("ce_time") == f"{np.datetime64(START, 'ms')}Z"
    assert letter.header("traceparent") == "00-bad-01"
    late_click = replace(click("v", 0, "b"), headers=[("traceparent", b"00-b-01")])
    (late,) = worker.run(click("u", 5 * MINUTE, "a"), late_click)[1:]
    assert (late.header("ce_id"), late.header("traceparent")) == (f"{CLICKSTREAM}/0/2", "00-b-01")


@pytest.mark.parametrize(
    ("timestamp", "when"),
    [
        (-1, "1970-01-01T00:00:00.000Z"),
        (START, f"{np.datetime64(START, 'ms')}Z"),
        (1 << 62, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_record_of_any_time_becomes_a_dead_letter(timestamp: int, when: str) -> None:
    headers = dict(cloud_event(DEAD_LETTER, "id", timestamp, b"text/plain", None))
    assert headers["ce_time"] == when.encode()
    assert "traceparent" not in headers
