"""A replay in process: every event comes out, cuts do not show, and files hold what topics would."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kafka.record_batch import encode_headers
from app.pipeline import Limits, Pipeline
from app.publish.outgoing import Outgoing
from app.replay.files import TopicFiles
from app.replay.pacing import EventTimePace
from app.replay.recorded import RecordedBatch
from app.replay.run import replay
from app.state.columns import Lifetimes
from schemas.topics import CLICKSTREAM, DEAD_LETTER, INTENT_EVENTS, ORDERS, OUTPUTS
from tests.fakes import fake_models
from tests.test_batch_independence import assert_close

PARTITIONS = 2
START = 1_700_000_000_000
LIVES = Lifetimes(gap_ms=30 * 60_000, history_ms=30 * 86_400_000, grace_ms=60_000)


class FakeClock:
    """Seconds that pass by sleeping alone."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def recorded(events: Iterable[tuple[str, int, str]]) -> RecordedBatch:
    """Events of (topic, time after START in ms, user), with ids by their place."""
    topics, keys, times, values = [], [], [], []
    for number, (topic, time, user) in enumerate(events):
        body: dict[str, Any] = {"event_id": f"e{number}", "ts": START + time, "user_id": user}
        if topic == CLICKSTREAM:
            body |= {"type": "product_viewed", "product_id": "p1"}
        else:
            body |= {"type": "order_placed", "order_id": f"o{number}", "value": 10, "currency": "EUR"}
        topics.append(topic)
        keys.append(user.encode())
        times.append(START + time)
        values.append(json.dumps(body).encode())
    return RecordedBatch(topics, keys, times, values)


def cut(batch: RecordedBatch, sizes: list[int]) -> Iterator[RecordedBatch]:
    at, turn = 0, 0
    while at < len(batch):
        end = min(len(batch), at + sizes[turn % len(sizes)])
        yield batch.take(range(at, end))
        at, turn = end, turn + 1


def replayed(recording: Iterable[RecordedBatch], clock: FakeClock, pace: EventTimePace | None = None) -> list[Outgoing]:
    pipeline = Pipeline(fake_models(), LIVES, Limits(64, 1 << 20, 0.0), PARTITIONS, with_headers=False)

    async def run() -> list[Outgoing]:
        steps = replay(recording, pipeline, PARTITIONS, lambda: START, clock, pace)
        return [out async for work in steps for out in work.outgoing]

    return asyncio.run(run())


def by_id(outputs: list[Outgoing]) -> dict[str, Any]:
    values = [json.loads(value or b"") for out in outputs for value in out.values]
    return {value["event_id"]: value for value in values}


EVENTS = st.lists(
    st.tuples(st.sampled_from([CLICKSTREAM, ORDERS]), st.sampled_from([0, 0, 0, 1, 5_000]), st.sampled_from("abc")),
    min_size=1,
    max_size=40,
)


@given(EVENTS, st.lists(st.integers(1, 7), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_a_cut_within_a_moment_does_not_show(steps: list[tuple[str, int, str]], sizes: list[int]) -> None:
    time, events = 0, []
    for topic, step, user in steps:
        time += step
        events.append((topic, time, user))
    whole = recorded(events)
    expected = by_id(replayed([whole], FakeClock()))
    found = by_id(replayed(cut(whole, sizes), FakeClock()))
    assert_close(found, expected)


def test_an_order_sees_the_click_of_its_millisecond_that_comes_later_in_the_recording() -> None:
    whole = recorded([(CLICKSTREAM, 0, "a"), (ORDERS, 5, "a"), (CLICKSTREAM, 5, "a")])
    together = by_id(replayed([whole], FakeClock()))
    apart = by_id(replayed(cut(whole, [2, 1]), FakeClock()))
    alone = by_id(replayed([recorded([(CLICKSTREAM, 0, "a"), (ORDERS, 5, "a")])], FakeClock()))
    assert apart["e1:risk"] == together["e1:risk"]
    assert alone["e1:risk"]["probability"] != together["e1:risk"]["probability"]


def test_a_pace_spreads_the_events_over_time_and_changes_no_output() -> None:
    whole = recorded([(CLICKSTREAM, 1000 * second, "a") for second in range(10)])
    clock = FakeClock()
    paced = replayed([whole], clock, EventTimePace(2))
    assert clock.time == pytest.approx(4.5, abs=0.1)
    assert by_id(paced) == by_id(replayed([whole], FakeClock()))


def test_what_is_not_an_event_becomes_a_dead_letter_and_stops_nothing() -> None:
    good = recorded([(CLICKSTREAM, 0, "a"), (CLICKSTREAM, 1, "a")])
    bad = RecordedBatch([CLICKSTREAM] * 2, [b"", b"a"], [START, START], [b"{", b"\xff"])
    topics = Counter(out.topic for out in replayed([bad, good], FakeClock()) for _ in out.values)
    assert topics == {INTENT_EVENTS: 2, DEAD_LETTER: 2}


def test_an_open_session_stays_open_at_the_end() -> None:
    outputs = replayed([recorded([(CLICKSTREAM, 0, "a")])], FakeClock())
    assert {out.topic for out in outputs} == {INTENT_EVENTS}


def test_files_replace_those_of_an_earlier_replay(tmp_path: Path) -> None:
    for values in ([b"1", b"2"], [b"3"]):
        with TopicFiles(tmp_path / "out") as files:
            files.write([Outgoing(INTENT_EVENTS, 0, [None] * len(values), values, None)])
    assert (tmp_path / "out" / "intent-events.jsonl").read_bytes() == b"3\n"
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {topic.name for topic in OUTPUTS}


def test_a_dead_letter_keeps_its_bytes_and_its_reason(tmp_path: Path) -> None:
    keys, values = [b"k", None, b"\xfe"], ["{é".encode(), None, b"\x00\xff"]
    headers = encode_headers([("x-failure-type", b"malformed_json")])
    with TopicFiles(tmp_path) as files:
        files.write([Outgoing(DEAD_LETTER, 0, keys, values, [headers] * 3)])
    lines = [json.loads(line) for line in (tmp_path / "dead-letter.jsonl").read_text().splitlines()]
    assert [line.pop("headers") for line in lines] == [{"x-failure-type": "malformed_json"}] * 3
    assert lines[:2] == [{"key": "k", "value": "{é"}, {"key": None, "value": None}]
    assert {name: base64.b64decode(text) for name, text in lines[2].items()} == {
        "key_base64": keys[2],
        "value_base64": values[2],
    }
