"""Alignment: clicks, orders and labels of a partition, merged by event time with Kafka Streams' three-case rule."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kafka.fetched import Fetched, Partition
from app.pipeline import Work
from schemas.topics import CLICKSTREAM, LABELS, ORDERS
from tests.harness import DAY, HOUR, MINUTE, SCORED_AT, Input, Worker, click, label, order
from tests.schemas.strategies import unhurried

MAX_IDLE = 10.0
INPUTS = (CLICKSTREAM, ORDERS, LABELS)


class Broker:
    """A worker, and what its broker says of the topics: how many records it has that the worker has not."""

    def __init__(self, step_records: int = 4096, **lags: int | None) -> None:
        self.worker = Worker(max_idle=MAX_IDLE, step_records=step_records)
        self.lags: dict[str, int | None] = {CLICKSTREAM: 0, ORDERS: 0, LABELS: 0, **lags}

    def lag(self, tp: Partition) -> int | None:
        return self.lags[tp[0]]

    def feed(self, *inputs: Input) -> None:
        for fetched in self.worker.fetches(inputs):
            self.worker.pipeline.feed(fetched)

    def work(self, now: float) -> Work | None:
        return self.worker.pipeline.work(self.lag, now, SCORED_AT)

    def wait(self, now: float) -> float | None:
        return self.worker.pipeline.wait(self.lag, now)

    def processed(self, now: float) -> list[str]:
        """The event ids that go now, in order."""
        found: list[str] = []
        while work := self.work(now):
            found += order_of(work)
        return found


def order_of(work: Work) -> list[str]:
    """The event ids of one step's clicks and orders in the order they were processed."""
    effects = work.effects
    batches = [(int(p), id_) for one in effects.clicks for p, id_ in zip(one.position, one.event_ids, strict=True)]
    batches += [(int(p), id_) for one in effects.orders for p, id_ in zip(one.position, one.event_ids, strict=True)]
    return [id_ for _, id_ in sorted(batches)]


# The three cases.


def test_records_wait_while_another_topics_lag_is_unknown() -> None:
    broker = Broker(orders=None)
    broker.feed(click("u", 0, "a"))
    assert [broker.work(now) for now in (0.0, 1e6)] == [None, None]
    assert broker.wait(1e6) is None


def test_records_wait_without_limit_while_another_topic_has_lag() -> None:
    broker = Broker(orders=1)
    broker.feed(click("u", 1_000, "a"))
    assert [broker.work(now) for now in (0.0, 1e6)] == [None, None]
    assert broker.wait(1e6) is None
    broker.feed(order("u", 500, "o"), label("u", 2_000, "l"))
    broker.lags[ORDERS] = 0
    assert broker.processed(1e6) == ["o"]


def test_records_wait_max_idle_for_a_topic_without_lag_then_go_on_and_that_is_counted() -> None:
    broker = Broker()
    broker.feed(click("u", 0, "a"))
    assert broker.work(100.0) is None
    assert broker.wait(100.0) == MAX_IDLE
    assert broker.work(100.0 + MAX_IDLE - 0.01) is None
    assert broker.wait(100.0 + MAX_IDLE - 1.0) == pytest.approx(1.0)
    work = broker.work(100.0 + MAX_IDLE)
    assert work is not None
    assert (order_of(work), work.enforced) == (["a"], [0])


def test_an_idle_topic_holds_nobody_up_until_it_has_data() -> None:
    broker = Broker()
    broker.feed(click("u", 0, "a"))
    broker.work(0.0)
    assert broker.processed(MAX_IDLE) == ["a"]
    broker.feed(click("u", 1_000, "b"))
    assert broker.processed(MAX_IDLE) == ["b"]
    broker.feed(order("u", 2_000, "o"), click("u", 3_000, "c"))
    assert broker.processed(MAX_IDLE) == ["o"]
    assert broker.processed(2 * MAX_IDLE - 0.01) == []
    assert broker.processed(2 * MAX_IDLE) == ["c"]


def test_a_topic_that_falls_behind_again_is_waited_for_again() -> None:
    broker = Broker()
    broker.feed(click("u", 0, "a"))
    broker.work(0.0)
    broker.lags[LABELS] = 5
    assert broker.processed(1e6) == []
    broker.lags[LABELS] = 0
    assert broker.processed(1e6) == []
    assert broker.processed(1e6 + MAX_IDLE) == ["a"]


def test_nothing_is_enforced_while_every_topic_has_records() -> None:
    broker = Broker()
    broker.feed(click("u", 0, "a"), order("u", 1, "o"), label("u", 9, "l"), click("u", 9, "b"), order("u", 9, "p"))
    work = broker.work(0.0)
    assert work is not None
    assert (order_of(work), work.enforced) == (["a", "o", "b"], [])


def test_nothing_to_do_is_nothing_to_wait_for() -> None:
    broker = Broker()
    assert broker.work(0.0) is None
    assert broker.wait(0.0) is None


# What an order sees.


def test_an_order_sees_exactly_the_clicks_before_it() -> None:
    worker = Worker()
    clicks = [click("u", 1_000 * number, f"c{number}", "login_failed") for number in range(10)]
    orders = [order("u", at, f"o{at}") for at in (500, 4_500, 20_000)]
    worker.run(*orders, *clicks)
    assert worker.orders_saw("session_events") == [1, 5, 10]
    assert worker.orders_saw("session_failed_logins") == [1, 5, 10]


def test_of_records_of_the_same_time_clicks_go_before_orders_and_orders_before_labels() -> None:
    worker = Worker()
    worker.run(label("u", 0, "l"), order("u", 0, "o"), click("u", 0, "c"), order("u", 1, "p"))
    assert worker.orders_saw("session_events") == [1, 1]
    assert worker.orders_saw("known_frauds") == [0, 1]


def test_an_order_sees_no_session_that_is_over() -> None:
    worker = Worker()
    worker.run(click("u", 0, "c"), order("u", 30 * MINUTE, "o"), order("u", 30 * MINUTE + 1, "p"))
    assert worker.orders_saw("session_events") == [1, 0]


def test_an_order_sees_no_other_users_clicks() -> None:
    worker = Worker()
    worker.run(click("v", 0, "c"), order("u", 1, "o"), click("u", 2, "d"))
    assert worker.orders_saw("session_events") == [0]


def test_labels_count_from_their_own_time_on() -> None:
    worker = Worker()
    worker.run(order("u", 0, "o"), order("u", DAY, "p"), order("u", 3 * DAY, "q"), label("u", 2 * DAY, "l"))
    assert worker.orders_saw("known_frauds") == [0, 0, 1]
    assert worker.orders_saw("since_fraud_seconds") == [0, 0, DAY / 1000]


# Any arrival gives one order.

streams = st.lists(st.tuples(st.sampled_from(INPUTS), st.sampled_from([0, 0, 1, 1_000, HOUR])), min_size=1, max_size=30)


def stream(steps: Sequence[tuple[str, int]]) -> list[tuple[int, Input]]:
    """Inputs of one user in time order, with their times."""
    found, now = [], 0
    for number, (topic, step) in enumerate(steps):
        now += step
        makers: dict[str, Callable[[str, int, str], Input]] = {CLICKSTREAM: click, ORDERS: order, LABELS: label}
        found.append((now, makers[topic]("u", now, f"{number}")))
    return found


def arrivals(broker: Broker, inputs: Sequence[Input], data: st.DataObject) -> list[str]:
    """What is processed when the topics are fetched in pieces, one or another first."""
    waiting = {topic: [one for one in inputs if one.topic == topic] for topic in INPUTS}
    broker.lags = {topic: len(rest) for topic, rest in waiting.items()}
    found: list[str] = []
    while left := [topic for topic in INPUTS if waiting[topic]]:
        topic = data.draw(st.sampled_from(left))
        size = data.draw(st.integers(1, len(waiting[topic])))
        piece, waiting[topic] = waiting[topic][:size], waiting[topic][size:]
        broker.lags[topic] = len(waiting[topic])
        broker.feed(*piece)
        found += broker.processed(0.0)
    now = 0.0
    while broker.worker.pipeline.waiting:
        now += MAX_IDLE
        found += broker.processed(now)
    return found


@settings(unhurried, max_examples=60)
@given(steps=streams, limit=st.integers(1, 40), data=st.data())
def test_any_arrival_of_fetches_gives_the_same_order(
    steps: list[tuple[str, int]], limit: int, data: st.DataObject
) -> None:
    timed = stream(steps)
    merged = sorted(enumerate(timed), key=lambda one: (one[1][0], INPUTS.index(one[1][1].topic), one[0]))
    expected = [str(number) for number, (_, one) in merged if one.topic != LABELS]
    assert arrivals(Broker(limit), [one for _, one in timed], data) == expected


@settings(unhurried, max_examples=60)
@given(steps=streams, where=st.integers(0, 30), years=st.sampled_from([-20, 3, 70]), data=st.data())
def test_one_record_dated_years_off_leaves_the_order_of_the_others(
    steps: list[tuple[str, int]], where: int, years: int, data: st.DataObject
) -> None:
    timed = [one for _, one in stream(steps)]
    expected = arrivals(Broker(), timed, data)
    clicks = [one for one in timed if one.topic == CLICKSTREAM]
    place = timed.index(clicks[where % len(clicks)]) if clicks else 0
    off = click("broken clock", years * 365 * DAY, "off")
    found = arrivals(Broker(), [*timed[:place], off, *timed[place:]], data)
    assert [id_ for id_ in found if id_ != "off"] == expected


def test_a_record_dated_before_the_one_before_it_goes_right_after_it() -> None:
    broker = Broker()
    broker.feed(click("u", 50_000, "a"), click("u", 20_000, "b"), click("u", 60_000, "c"), order("u", 30_000, "o"))
    broker.feed(order("u", 55_000, "p"), order("u", 70_000, "q"), label("u", HOUR, "l"))
    assert broker.processed(0.0) == ["o", "a", "b", "p", "c"]


def test_a_deep_partition_does_not_starve_another() -> None:
    worker = Worker(partitions=2, step_records=10)
    keys = ["a", "b", "c", "d", "e", "f"]
    homes = {key: worker.fetches([click(key, 0, "x")])[0].partition for key in keys}
    deep, shallow = (next(key for key in keys if homes[key] == home) for home in (0, 1))
    fetches: list[Fetched] = Worker(partitions=2).fetches([click(deep, number, f"{number}") for number in range(500)])
    for fetched in [*fetches, *Worker(partitions=2).fetches([click(shallow, 0, "s")])]:
        worker.pipeline.feed(fetched)
    works = [worker.pipeline.work(lambda _: 0, 0.0, SCORED_AT) for _ in range(2)]
    assert "s" in [id_ for work in works if work for id_ in order_of(work)]


def test_a_record_dated_years_off_waits_for_the_next_one_to_be_judged() -> None:
    broker = Broker(clickstream=1)
    broker.feed(click("u", 0, "a"), click("u", 1, "b"), click("u", 9 * 365 * DAY, "off"))
    broker.feed(order("u", 1_000, "o"), label("u", HOUR, "l"))
    assert broker.processed(0.0) == ["a", "b"]
    assert broker.wait(0.0) is None
    broker.lags[CLICKSTREAM] = 0
    broker.feed(click("u", 2_000, "c"), order("u", HOUR, "p"))
    assert broker.processed(0.0) == ["off", "o", "c"]
