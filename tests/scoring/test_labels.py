"""Labels are whatever they are: of unknown orders, before their orders, twice, contradicting. None is lost."""

from typing import Any

import numpy as np
import pytest

from app.velocity.catalogue import BY_NAME
from app.velocity.table import VelocityTable
from tests.harness import MINUTE, START, Feed, Worker, failures, label, order
from tests.velocity.naive import Event, columns

ORDER = {"order_id": "order-a"}
LABELS: dict[str, tuple[list[tuple[int, dict[str, Any]]], float, float]] = {
    "of_its_order": ([(2, {**ORDER})], 1, 1),
    "before_its_order": ([(0, {**ORDER})], 1, 1),
    "of_an_unknown_order": ([(2, {"order_id": "order-nobody"})], 1, 0),
    "of_no_order": ([(2, {})], 1, 0),
    "the_same_event_twice": ([(2, {**ORDER, "event_id": "l"}), (3, {**ORDER, "event_id": "l"})], 1, 1),
    "another_about_the_same_order": ([(2, {**ORDER}), (3, {**ORDER, "label": "chargeback"})], 2, 1),
    "genuine_after_fraud": ([(2, {**ORDER}), (3, {**ORDER, "label": "legitimate"})], 1, 0),
    "fraud_after_genuine": ([(2, {**ORDER, "label": "legitimate"}), (3, {**ORDER})], 1, 1),
}
"""Labels by their minute, the order being of minute 1; what the user's `known_frauds` and velocities count after."""


@pytest.mark.parametrize(("labels", "known", "_"), LABELS.values(), ids=list(LABELS))
def test_what_a_user_is_known_for_after_labels_of_every_kind(
    labels: list[tuple[int, dict[str, Any]]], known: float, _: float, feed: Feed
) -> None:
    worker = Worker()
    told = [(minute, label("u", minute * MINUTE, f"l{place}", **more)) for place, (minute, more) in enumerate(labels)]
    orders = [(minute, order("u", minute * MINUTE, name)) for minute, name in ((1, "a"), (5, "b"))]
    records = feed(worker, *(one for _, one in sorted([*told, *orders], key=lambda pair: pair[0])))
    assert worker.orders_saw("known_frauds")[-1] == known
    assert not failures(records)


@pytest.mark.parametrize(("labels", "_", "frauds"), LABELS.values(), ids=list(LABELS))
def test_what_a_card_is_known_for_after_labels_of_every_kind(
    labels: list[tuple[int, dict[str, Any]]], _: float, frauds: float
) -> None:
    table = VelocityTable([BY_NAME["card_frauds_24h"]])
    events = [
        Event(START + minute * MINUTE, more.get("order_id", "-"), "u", bad=more.get("label") != "legitimate")
        for minute, more in labels
        if "order_id" in more
    ]
    orders = [
        Event(START + at * MINUTE, name, "u", 100, {"card": "c"}) for at, name in ((1, "order-a"), (5, "order-b"))
    ]
    story = sorted([*events, *orders], key=lambda event: event.ts)
    assert np.array_equal(table.process(*columns(story))[-1], [frauds])
