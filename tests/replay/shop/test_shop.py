"""The simulated shop is repeatable, keeps the contract, and what it says is true can be seen in its events."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import islice, pairwise

import msgspec
import pytest

from app.replay.recorded import joined
from app.replay.shop import Shop, Truth
from schemas.events import Click, InputEvent, Label, Order, visitor
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

TYPES: dict[str, type[InputEvent]] = {CLICKSTREAM: Click, ORDERS: Order, LABELS: Label}
INTENTS = {"browse", "search", "compare", "purchase", "abandon", "support", "return"}
Told = tuple[InputEvent, Truth]


def shop(**options: float) -> Shop:
    return Shop(7, **({"users": 3_000, "events_per_second": 30, "events": 40_000} | options))  # type: ignore[arg-type]


@cache
def told() -> Sequence[Told]:
    """Everything that happened in the shop, and the truth about each."""
    return [
        (msgspec.json.decode(value, type=TYPES[topic]), truth)
        for batch in shop(chargeback_delay_s=300)
        for topic, value, truth in zip(batch.recorded.topics, batch.recorded.values, batch.truths, strict=True)
    ]


def sessions() -> dict[str | None, list[Told]]:
    found: dict[str | None, list[Told]] = defaultdict(list)
    for event, truth in told():
        if not isinstance(event, Label):
            found[event.session_id].append((event, truth))
    return found


def test_the_same_seed_gives_the_same_bytes_however_they_are_batched() -> None:
    whole = joined([batch.recorded for batch in shop(events=5_000)])
    assert joined([batch.recorded for batch in shop(events=5_000, batch_rows=17)]) == whole
    assert joined([batch.recorded for batch in Shop(8, events=5_000)]).values != whole.values


def test_an_endless_shop_yields_full_batches() -> None:
    endless = Shop(1, users=100, events=None, batch_rows=64)
    assert [len(batch.truths) for batch in islice(endless, 50)] == [64] * 50


def test_about_as_many_events_are_made_as_asked_for() -> None:
    made = sum(not isinstance(event, Label) for event, _ in told())
    assert 40_000 <= made < 40_100


def test_events_are_in_time_order_with_ids_of_their_own_under_the_visitors_key() -> None:
    batch = joined([batch.recorded for batch in shop(events=5_000)])
    events = [
        msgspec.json.decode(value, type=TYPES[topic]) for topic, value in zip(batch.topics, batch.values, strict=True)
    ]
    assert [event.ts for event in events] == batch.timestamps == sorted(batch.timestamps)
    assert [(visitor(event) or "").encode() for event in events] == batch.keys
    assert len({event.event_id for event in events}) == len(events)


def test_orders_follow_their_clicks_and_are_completed_by_one() -> None:
    placed = 0
    for events in sessions().values():
        kinds = [event.type for event, _ in events]
        for place, (order, _) in enumerate(events):
            if order.type == "order_placed":
                placed += 1
                assert {"product_viewed", "product_added", "checkout_started"} <= set(kinds[:place])
                completed = events[place + 1][0]
                assert isinstance(order, Order)
                assert isinstance(completed, Click)
                assert (completed.type, completed.order_id) == ("order_completed", order.order_id)
                assert completed.price == order.value
    assert placed > 300


def test_purchase_later_is_what_then_happens_in_the_session() -> None:
    for events in sessions().values():
        kinds = [event.type for event, _ in events]
        for place, (event, truth) in enumerate(events):
            expected = "order_completed" in kinds[place + 1 :] if isinstance(event, Click) else None
            assert truth.purchase_later is expected


def test_a_visit_has_one_purpose_and_buyers_are_those_who_came_to_buy() -> None:
    for events in sessions().values():
        (intent,) = {truth.intent for event, truth in events if isinstance(event, Click)}
        assert intent in INTENTS
        assert any(event.type == "order_completed" for event, _ in events) == (intent == "purchase")


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("page_viewed", 0.05, 0.2),
        ("product_viewed", 0.05, 0.2),
        ("product_added", 0.2, 0.5),
        ("checkout_started", 0.5, 0.85),
        ("payment_info_entered", 0.75, 0.97),
    ],
)
def test_no_single_click_gives_the_purchase_away_or_rules_it_out(kind: str, least: float, most: float) -> None:
    later = [truth.purchase_later for event, truth in told() if event.type == kind]
    assert least < sum(map(bool, later)) / len(later) < most


def test_takeovers_come_from_a_new_device_after_failed_logins_and_send_elsewhere() -> None:
    found = 0
    for events in sessions().values():
        clicks = [event for event, _ in events if isinstance(event, Click)]
        for order, truth in events:
            if isinstance(order, Order) and truth.pattern == "account_takeover":
                found += 1
                assert sum(click.type == "login_failed" for click in clicks) >= 3
                assert order.shipping_country != order.billing_country
    assert found > 3


def test_card_testers_try_many_cards_from_one_device_for_next_to_nothing() -> None:
    found = 0
    for events in sessions().values():
        orders = [event for event, truth in events if isinstance(event, Order) and truth.pattern == "card_testing"]
        if orders:
            found += 1
            *tries, last = orders
            assert len({order.card_hash for order in orders}) == len(orders) >= 7
            assert len({order.device_id for order in orders}) == 1
            assert max(order.value for order in tries) < last.value
    assert found > 0


def test_honest_visits_do_what_thieves_do_too() -> None:
    honest = {
        event.type
        for events in sessions().values()
        if not any(truth.fraud for _, truth in events)
        for event, _ in events
    }
    assert {"login_failed", "account_created", "payment_attempted"} <= honest


def test_labels_follow_their_orders_and_call_only_frauds_fraud() -> None:
    fraud: dict[str, bool | None] = {}
    labels = 0
    for event, truth in told():
        if isinstance(event, Order):
            fraud[event.order_id] = truth.fraud
        elif isinstance(event, Label):
            labels += 1
            assert event.order_id is not None
            assert (event.label == "chargeback") == fraud[event.order_id]
    assert labels > 20


def test_texts_are_of_both_languages_and_their_meaning_is_known() -> None:
    texts = [
        (event.query or event.message or "", truth.query_intent)
        for event, truth in told()
        if isinstance(event, Click) and event.type in ("products_searched", "message_sent")
    ]
    assert all(text and meaning for text, meaning in texts)
    chinese = sum(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text, _ in texts)
    assert 0.3 < chinese / len(texts) < 0.8
    assert len({meaning for _, meaning in texts}) >= 12


def test_nobody_is_in_two_sessions_at_once() -> None:
    spans: dict[str | None, list[tuple[int, int]]] = defaultdict(list)
    for events in sessions().values():
        spans[visitor(events[0][0])].append((events[0][0].ts, events[-1][0].ts))
    for visits in spans.values():
        ordered = sorted(visits)
        assert all(end < begin for (_, end), (begin, _) in pairwise(ordered))
