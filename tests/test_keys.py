"""Whose record it is: the key, the payload, or nobody."""

import pytest

from schemas.topics import CLICKSTREAM, LABELS, ORDERS, RISK_EVENTS
from tests.harness import Input, Worker, click, failures, label, order, raw, run, scored

SCHEMA = "schema_violation"


def test_an_anonymous_visitor_is_keyed_by_the_anonymous_id() -> None:
    found = run(click("", 0, "a", user_id=None, anonymous_id="cookie"))
    assert scored(found) == ["a"]
    assert found[0].key == b"cookie"
    assert found[0].body["user_id"] == "cookie"


def test_a_record_without_a_key_is_scored_in_its_users_partition() -> None:
    keyed = click("u", 0, "a")
    home = Worker(partitions=4).fetches([keyed])[0].partition
    for partition in range(4):
        found = Worker(partitions=4).run(Input(CLICKSTREAM, None, keyed.value, partition=partition))
        assert scored(found) == (["a"] if partition == home else [])
        assert failures(found) == ([] if partition == home else [SCHEMA])
        assert found[0].partition == partition
        assert found[0].key == (b"u" if partition == home else None)


def test_a_label_of_an_order_alone_belongs_to_the_user_its_key_names() -> None:
    worker = Worker()
    named = label("", 0, "l", user_id=None, order_id="order-1")
    assert worker.run(raw(named.value, b"u", LABELS), order("u", 1, "a"))[0].topic == RISK_EVENTS
    assert worker.pipeline.state.table.rows["known_frauds"][worker.pipeline.state.table.slot("u")] == 1


@pytest.mark.parametrize("topic", [CLICKSTREAM, ORDERS])
@pytest.mark.parametrize("key", [None, b"", b"u"])
def test_who_is_named_nowhere_is_a_dead_letter(topic: str, key: bytes | None) -> None:
    made = click("u", 0, "a", user_id=None) if topic == CLICKSTREAM else order("u", 0, "a", user_id=None)
    assert failures(run(raw(made.value, key, topic))) == [SCHEMA]


@pytest.mark.parametrize("key", [None, b"", b"\xff\x00stream-time", b"k" * 257])
def test_a_label_whose_key_is_no_users_id_is_a_dead_letter(key: bytes | None) -> None:
    named = label("", 0, "l", user_id=None, order_id="order-1")
    found = run(raw(named.value, key, LABELS))
    assert failures(found) == [SCHEMA]
    assert found[0].key == key
