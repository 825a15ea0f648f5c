"""Every kind of bad input at once, through a worker on a real Kafka."""

from pathlib import Path

import pytest

from schemas.headers import DEAD_LETTER_HEADERS
from schemas.topics import CLICKSTREAM, DEAD_LETTER, INTENT_EVENTS, ORDERS, RISK_EVENTS, SESSION_EVENTS, TOPICS
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import run_to_end
from tests.harness import click, order, raw
from tests.test_bad_input import BAD

pytestmark = [pytest.mark.broker, pytest.mark.slow]

YEAR_2099 = 4_080_000_000_000


def test_bad_records_of_every_kind_are_dead_letters_and_good_ones_are_scored(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    topics, group, good, inputs = ContractTopics(kafka), unique("bad"), [], []
    for number, (value, _) in enumerate(BAD.values()):
        good += [click("u", 2 * number, f"u{number}"), click("v", 2 * number + 1, f"v{number}")]
        inputs += [raw(value), good[-2], good[-1], good[-1]]
    orders = [order("u", 50, "o1"), raw(b"{", topic=ORDERS), order("u", 51, "o2", value=-1), order("v", 52, "o3")]
    topics.send(*inputs, click("v", 0, "ahead", ts=YEAR_2099), click("u", 100, "u last"), click("v", 101, "v last"))
    topics.send(*orders)
    figures = run_to_end(kafka, tmp_path / "state", group)

    clicks = [record.body["source_event_id"] for record in topics.read(INTENT_EVENTS)]
    names = {f"{user}{number}" for user in "uv" for number in range(len(BAD))} | {"ahead", "u last", "v last"}
    assert sorted(clicks) == sorted(names), "each once, though every second one came twice"
    assert {record.body["source_event_id"] for record in topics.read(RISK_EVENTS)} == {"o1", "o3"}
    closed = {record.body["user_id"] for record in topics.read(SESSION_EVENTS)}
    assert closed <= {"v"}, "the one that is dated ahead closes nobody else's session"
    letters = topics.read(DEAD_LETTER)
    assert sum(figures["dead_letters"].values()) == len(letters) == len(BAD) + 2
    assert {CLICKSTREAM, ORDERS} == {letter.header("__connect.errors.topic") for letter in letters}
    assert all(letter.headers.keys() >= set(DEAD_LETTER_HEADERS) for letter in letters)
    found = {int(one.header("__connect.errors.offset")): one for one in letters if is_of_clicks(one.headers)}
    sent = [stored for stored in topics.stored(CLICKSTREAM) if stored.offset in found and stored.record.key == b"u"]
    assert [stored.record.value for stored in sent] == [value for value, _ in BAD.values()]
    assert [found[stored.offset].value for stored in sent] == [value for value, _ in BAD.values()]
    assert [found[stored.offset].header("x-failure-type") for stored in sent] == [why for _, why in BAD.values()]
    assert topics.committed(group) == topics.ends()


def is_of_clicks(headers: dict[str, bytes | None]) -> bool:
    return headers["__connect.errors.topic"] == CLICKSTREAM.encode()
