"""Features of clicks and orders equal those of a naive reference, however the events are cut into batches."""

from itertools import accumulate
from math import isclose
from operator import and_

from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from app.effects import ScoredClicks, ScoredOrders
from app.events.stream_time import MAX_JUMP_MS
from app.features.clicks import CLICK_FEATURES
from app.features.orders import ORDER_FEATURES
from app.state.rows import ITEM_WORDS
from schemas.events import CLICK_TYPES
from tests.features.naive import Event, NaiveFeatures
from tests.harness import DAY, GAP, GRACE, HOUR, MINUTE, START, Input, Worker, click, order
from tests.schemas.strategies import unhurried

PRODUCTS = ["p1", "p2", "p3", "p4"]
CATEGORIES = ["a", "b", "c"]
TYPES = ["product_viewed", "product_added", "product_removed", "order_completed", "login_failed", "password_changed"]

steps = st.sampled_from([0, 1, 700, MINUTE, GAP, GAP + 1, 2 * HOUR, DAY, 9 * DAY, 30 * DAY, 30 * DAY + 1])
clicks = st.tuples(
    st.sampled_from(TYPES) | st.sampled_from(CLICK_TYPES),
    st.none() | st.sampled_from(PRODUCTS),
    st.none() | st.sampled_from(CATEGORIES),
    st.none() | st.integers(0, 10_000).map(lambda cents: cents / 100),
    st.none() | st.integers(0, 3),
)
orders = st.tuples(st.none(), st.none(), st.none(), st.integers(1, 50_000).map(lambda cents: cents / 100), st.none())
Story = tuple[str, int, int, tuple[object, ...]]
stories = st.lists(
    st.tuples(st.sampled_from("uvw"), steps, st.sampled_from([0, 0, 0, 1, GRACE // 2]), clicks | clicks | orders),
    min_size=1,
    max_size=40,
)


def events_of(story: list[Story]) -> list[Event]:
    """The story's events: time goes on by steps; some clicks are dated a little before it.

    But none once there was a jump that may not be believed: it would show the one before for a wrong clock, and the
    reference knows of none.
    """
    steps = [step for _, step, _, _ in story]
    believed = accumulate((step < MAX_JUMP_MS for step in (0, *steps[:-1])), and_)
    return [
        Event(user, START + time - (back if what[0] and is_believed else 0), *what)  # type: ignore[arg-type]
        for time, is_believed, (user, _, back, what) in zip(accumulate(steps), believed, story, strict=True)
    ]


def input_of(event: Event, number: int) -> Input:
    after = event.ts - START
    if event.type is None:
        return order(event.user, after, f"{number}", value=event.price)
    fields = {"product_id": event.product, "category": event.category, "price": event.price, "quantity": event.quantity}
    return click(event.user, after, f"{number}", event.type, **fields)


def in_order(worker: Worker) -> list[tuple[int, dict[str, float]]]:
    """The number and the features of every input, in the order in which they were processed."""
    found = []
    for step, work in enumerate(worker.works):
        batches: list[ScoredClicks | ScoredOrders] = [*work.effects.clicks, *work.effects.orders]
        for batch in batches:
            catalogue = CLICK_FEATURES if isinstance(batch, ScoredClicks) else ORDER_FEATURES
            names = [feature.name for feature in catalogue]
            for position, id_, row in zip(batch.position, batch.event_ids, batch.features.tolist(), strict=True):
                found.append(((step, int(position)), int(id_), dict(zip(names, row, strict=True))))
    return [(number, features) for _, number, features in sorted(found, key=lambda one: one[0])]


@settings(unhurried, max_examples=60)
@given(story=stories, sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_every_event_sees_what_the_naive_reference_sees(story: list[Story], sizes: list[int]) -> None:
    events = events_of(story)
    worker = Worker()
    inputs = [input_of(event, number) for number, event in enumerate(events)]
    while inputs:
        size = sizes[len(inputs) % len(sizes)]
        worker.run(*inputs[:size])
        inputs = inputs[size:]
    found = in_order(worker)
    assert sorted(number for number, _ in found) == list(range(len(events)))
    naive = NaiveFeatures()
    for number, features in found:
        for name, expected in naive.see(events[number]).items():
            assert isclose(features[name], expected, rel_tol=1e-5, abs_tol=2e-3), (name, number, events)


def test_the_reference_tells_every_click_feature() -> None:
    told = NaiveFeatures().see(Event("u", START, "page_viewed"))
    assert list(told) == [feature.name for feature in CLICK_FEATURES]


def test_products_and_categories_of_these_tests_do_not_share_bits() -> None:
    assert len({xxh3_64_intdigest(product.encode()) % (64 * ITEM_WORDS) for product in PRODUCTS}) == len(PRODUCTS)
    assert len({xxh3_64_intdigest(name.encode()) % 64 for name in CATEGORIES}) == len(CATEGORIES)
