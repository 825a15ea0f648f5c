"""`sluice worker` on a real Kafka: what comes out, what a crash costs, and how it ends."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from app.kafka.partition import partition_of
from app.state.store import Stores
from schemas.headers import CLOUD_EVENT_HEADERS, DEAD_LETTER_HEADERS
from schemas.topics import (
    BY_NAME,
    CLICKSTREAM,
    DEAD_LETTER,
    DECISIONS,
    INTENT_EVENTS,
    ORDERS,
    RISK_EVENTS,
    TOPICS,
)
from tests.broker.conftest import MakeTopics
from tests.broker.contract_topics import PARTITIONS, ContractTopics
from tests.broker.transport_app import unique
from tests.broker.worker_process import run_to_end, running, until
from tests.harness import START, Input, Record, click, failures, label, on, order, raw, scored

pytestmark = [pytest.mark.broker, pytest.mark.slow]

DEADLINE_S = 20.0
YEAR_2100 = 4_102_444_800_000


@pytest.fixture
def topics(kafka: str, make_topics: MakeTopics) -> ContractTopics:
    """All topics of the contract, empty."""
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    return ContractTopics(kafka)


def traceparent(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


def traced(one: Input, number: int) -> Input:
    return Input(one.topic, one.key, one.value, [("traceparent", traceparent(number).encode())])


def visits(users: int, clicks: int) -> list[Input]:
    """So many clicks of each user, the users in turn."""
    return [click(f"user-{user}", n * 1_000 + user, f"{user}-{n}") for n in range(clicks) for user in range(users)]


def test_every_click_and_order_yields_its_outputs_as_the_contract_says(topics: ContractTopics, tmp_path: Path) -> None:
    users = [f"user-{number}" for number in range(30)]
    inputs = [traced(one, number + 1) for number, one in enumerate(visits(30, 5))]
    inputs += [order(user, 5_000, f"order of {user}") for user in users]
    inputs += [label(user, 6_000, f"label of {user}") for user in users]
    topics.send(*inputs)
    group = unique("whole")
    figures = run_to_end(topics.broker, tmp_path / "state", group)

    found = topics.read()
    counts = Counter(record.topic for record in found)
    assert counts == {INTENT_EVENTS: 150, RISK_EVENTS: 30, DECISIONS: 30}
    assert (figures["events_in"], figures["outputs"], figures["dead_letters"]) == (len(inputs), counts, {})
    assert topics.committed(group) == topics.ends()
    assert_as_the_contract_says(found, inputs)


def assert_as_the_contract_says(found: list[Record], inputs: list[Input]) -> None:
    sent = {json.loads(one.value or b"")["event_id"]: (number, one) for number, one in enumerate(inputs)}
    assert Counter(scored(found)) == {name: 1 for name, (_, one) in sent.items() if one.topic in (CLICKSTREAM, ORDERS)}
    assert len({record.partition for record in found}) == PARTITIONS
    for record in found:
        contract = BY_NAME[record.topic]
        assert contract.struct is not None
        output = msgspec.json.decode(record.value or b"", type=contract.struct)
        number, source = sent[record.body["source_event_id"]]
        assert record.partition == partition_of(source.key or b"", PARTITIONS)
        if record.topic != DECISIONS:
            assert record.key == source.key
        assert set(record.headers) >= set(CLOUD_EVENT_HEADERS) - {"traceparent"}
        assert (record.header("ce_id"), record.header("ce_type")) == (record.body["event_id"], contract.ce_type)
        assert record.body["event_id"] == output.event_id  # type: ignore[attr-defined]
        if record.topic == INTENT_EVENTS:
            assert record.header("traceparent") == traceparent(number + 1)
        else:
            assert "traceparent" not in record.headers


def test_bad_input_becomes_dead_letters_and_stops_nothing(topics: ContractTopics, tmp_path: Path) -> None:
    large = json.dumps({"event_id": "l", "type": "page_viewed", "ts": START, "user_id": "u", "query": "x" * (5 << 20)})
    stranger = click("somebody else", 3, "stranger").value
    bad = [raw(b"hello"), raw(None), raw(b""), raw(stranger), raw(large.encode())]
    good = [click("u", number, f"good {number}") for number in range(6)]
    topics.send(*(one for pair in zip(good, bad, strict=False) for one in pair), good[-1])
    topics.send(good[0], click("u", 0, "ahead", ts=YEAR_2100), click("u", 7, "after"), order("u", 8, "order"))
    group = unique("bad")
    figures = run_to_end(topics.broker, tmp_path / "state", group)

    found = topics.read()
    letters = on(DEAD_LETTER, found)
    names = [f"good {number}" for number in range(6)]
    assert scored(found)[:6] == names
    assert Counter(scored(found)) == dict.fromkeys([*names, "ahead", "after", "order"], 1), "repeated ids count once"
    decoded = [one for one in letters if one.header("__connect.errors.stage") == "decode"]
    expected = ["malformed_json", "schema_violation", "malformed_json", "schema_violation", "size_violation"]
    assert failures(decoded)[:5] == expected
    assert [one.value for one in decoded][:5] == [one.value for one in bad]
    assert all(one.key == b"u" and one.headers.keys() >= set(DEAD_LETTER_HEADERS) for one in letters)
    assert [one.header("__connect.errors.offset") for one in decoded][:5] == ["1", "3", "5", "7", "9"]
    assert sum(figures["dead_letters"].values()) == len(letters)
    assert topics.committed(group) == topics.ends()


def test_a_killed_worker_loses_no_output_and_repeats_them_under_the_same_ids(
    topics: ContractTopics, tmp_path: Path
) -> None:
    inputs = visits(300, 100)
    topics.send(*inputs)
    group = unique("killed")
    with running(topics.broker, tmp_path / "state", group, instance="one", max_batch_records=200) as worker:
        until(lambda: sum(topics.committed(group).values()), lambda: f"a first commit; {worker.tail()}")
        worker.kill()
    before = topics.count(INTENT_EVENTS)
    assert 0 < before < len(inputs), "it was killed in the middle"
    run_to_end(topics.broker, tmp_path / "state", group)

    ids: defaultdict[str, set[tuple[bytes | None, int, str]]] = defaultdict(set)
    for record in topics.read(INTENT_EVENTS):
        ids[record.body["source_event_id"]].add((record.key, record.partition, record.body["event_id"]))
    assert ids.keys() == {json.loads(one.value or b"")["event_id"] for one in inputs}
    assert {len(found) for found in ids.values()} == {1}
    assert topics.count(DEAD_LETTER) == 0
    assert topics.committed(group) == topics.ends()
    assert_recovers_the_same(topics, tmp_path, group)


def assert_recovers_the_same(topics: ContractTopics, folder: Path, group: str) -> None:
    """The store, and one that a worker makes from the changelog alone, are the changelog's fold."""
    fold = {at: value for at, value in topics.changelog(group).items() if value is not None}
    assert stored(folder / "state") == fold
    run_to_end(topics.broker, folder / "fresh", group)
    assert stored(folder / "fresh") == fold


def stored(state: Path) -> dict[tuple[int, bytes], bytes]:
    """Rows of the local stores by partition and key."""
    stores = Stores(state / "one" / "sessions", lambda: 0)
    found: dict[tuple[int, bytes], bytes] = {}
    for partition in range(PARTITIONS):
        store = stores.open(partition)
        found |= {
            (partition, key): value for keys, values in store.scan() for key, value in zip(keys, values, strict=True)
        }
        store.close()
    return found


def test_until_the_end_ends_at_once_where_all_was_done_before(topics: ContractTopics, tmp_path: Path) -> None:
    topics.send(*visits(3, 1))
    group = unique("again")
    first, second = (run_to_end(topics.broker, tmp_path / "state", group) for _ in range(2))
    assert (first["events_in"], second["events_in"], topics.count(INTENT_EVENTS)) == (3, 0, 3)


def test_a_signal_under_load_ends_it_in_order_before_the_deadline(topics: ContractTopics, tmp_path: Path) -> None:
    group = unique("signalled")
    with running(topics.broker, tmp_path / "state", group, instance="one") as worker, load(topics):
        until(lambda: topics.count(INTENT_EVENTS) > 1_000, lambda: f"outputs; {worker.tail()}")
        figures = worker.stop(DEADLINE_S)
    assert figures["events_in"] == sum(topics.committed(group).values())
    assert figures["outputs"][INTENT_EVENTS] == topics.count(INTENT_EVENTS) == figures["events_in"]


@contextmanager
def load(topics: ContractTopics) -> Iterator[None]:
    """Clicks without end, from another thread, until the block is left."""
    over = threading.Event()

    def send() -> None:
        number = 0
        while not over.is_set():
            topics.send(*(click(f"user-{one % 50}", number + one, f"{number + one}") for one in range(500)))
            number += 500

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
