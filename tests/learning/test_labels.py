"""Labels meet their orders, and those that meet none are counted."""

from app.learning.labels import OrderLabels
from tests.harness import label, raw


def taken(*labels: bytes | None) -> OrderLabels:
    found = OrderLabels()
    found.take(labels)
    return found


def of(order: str | None, word: str) -> bytes:
    value = label("u", 0, f"l-{order}-{word}", order_id=order, label=word).value
    assert value is not None
    return value


def test_a_label_meets_its_order_and_the_latest_counts() -> None:
    labels = taken(of("a", "fraud"), of("b", "legitimate"), of("c", "chargeback"), of("c", "legitimate"))
    known, bad = labels.joined(["a", "b", "c", "d"])
    assert known.tolist() == [True, True, True, False]
    assert bad.tolist() == [True, False, False, False]


def test_labels_of_orders_never_seen_and_of_users_are_counted() -> None:
    labels = taken(of("a", "fraud"), of("ghost", "fraud"), of(None, "account_takeover"))
    assert labels.counted(["a", "b"]) == {"joined": 1, "of_unknown_orders": 1, "of_users": 1}


def test_labels_that_repeat_or_contradict_what_was_said_are_counted() -> None:
    labels = taken(of("a", "fraud"), of("a", "chargeback"), of("a", "legitimate"), of("b", "legitimate"))
    assert (labels.repeated, labels.contradicting) == (1, 1)
    assert (labels.is_bad("a"), labels.is_bad("nobody's")) == (False, False)


def test_what_is_no_label_is_left_out() -> None:
    labels = taken(None, b"{", raw(b'{"label": "odd"}').value, b"\xff", of("a", "fraud"))
    assert labels.by_order == {"a": "fraud"}
