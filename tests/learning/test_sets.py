"""Gathered rows: the features of scoring time, what came true, and what is not settled yet."""

import numpy as np
import pytest

from app.cli.errors import UsageProblem
from app.features.clicks import CLICK_FEATURES
from app.learning.sets import Settling, click_set, order_set
from app.training.learnable import require_learnable
from app.training.rows import click_rows
from app.training.sources import CHOOSE, LEARN, MEASURE
from tests.harness import DAY, HOUR, MINUTE, Input, click, label, order
from tests.learning import topics
from tests.training.recordings import LIFETIMES, ignored, recut, shop

SETTLING = Settling(gap_ms=30 * MINUTE, label_ms=7 * DAY)
BROKER = "kafka:9092"


def visit(user: str, start: int, *types: str) -> list[Input]:
    return [click(user, start + at * MINUTE, f"{user}-{start}-{at}", type_) for at, type_ in enumerate(types)]


def test_rows_of_the_topics_are_those_of_training_whatever_the_cut() -> None:
    expected = click_rows(shop(400), LIFETIMES, ignored)
    for recording in (shop(400), recut(shop(400), 7)):
        found = click_set(topics.of_recording(recording), BROKER, SETTLING).rows
        np.testing.assert_array_equal(found.features, expected.features)
        np.testing.assert_array_equal(found.session, expected.session)


def test_observed_purchases_label_the_clicks_before_them() -> None:
    inputs = visit("a", 0, "page_viewed", "order_completed") + visit("b", HOUR, "page_viewed", "cart_viewed")
    one = click_set(topics.of(*inputs, click("z", DAY, "end")), BROKER, SETTLING)
    by_user = {user: one.labels.purchase[one.rows.user == user].tolist() for user in (0, 1)}
    assert by_user == {0: [True, False], 1: [False, False]}


def test_a_session_that_may_go_on_is_in_no_part() -> None:
    inputs = [one for number in range(10) for one in visit(f"u{number}", number * HOUR, "page_viewed", "cart_viewed")]
    one = click_set(topics.of(*inputs), BROKER, SETTLING)
    is_last = one.rows.user == 9
    assert (one.part[is_last] == -1).all()
    assert set(one.part[~is_last].tolist()) == {LEARN, CHOOSE, MEASURE}


def test_parts_follow_each_other_in_time() -> None:
    one = click_set(topics.of_recording(shop(600)), BROKER, SETTLING)
    ends = [one.rows.started_at[one.part == part].max() for part in (LEARN, CHOOSE)]
    starts = [one.rows.started_at[one.part == part].min() for part in (CHOOSE, MEASURE)]
    assert all(end < start for end, start in zip(ends, starts, strict=True))
    assert "measured from" in one.split


def test_an_order_without_a_label_is_good_once_none_is_to_be_expected() -> None:
    inputs = [order("u", at * DAY, f"o{at}") for at in range(12)]
    inputs += [label("u", 11 * DAY + 1, "l", order_id="order-o11", label="chargeback")]
    one = order_set(topics.of(*inputs, click("z", 12 * DAY, "end")), BROKER, SETTLING)
    settled = [order_id for order_id, part in zip(one.rows.order_ids, one.part.tolist(), strict=True) if part >= 0]
    assert settled == ["order-o0", "order-o1", "order-o2", "order-o3", "order-o4", "order-o11"]
    assert one.fraud.tolist() == [False] * 11 + [True]


def test_topics_without_clicks_or_orders_are_named() -> None:
    with pytest.raises(UsageProblem, match="clickstream at kafka:9092 has no clicks"):
        click_set(topics.of(order("u", 0, "o")), BROKER, SETTLING)
    with pytest.raises(UsageProblem, match="orders at kafka:9092 has no orders"):
        order_set(topics.of(click("u", 0, "c")), BROKER, SETTLING)


def test_nothing_settled_is_in_no_part_and_teaches_nothing() -> None:
    one = click_set(topics.of(click("u", 0, "c")), BROKER, SETTLING)
    assert one.part.tolist() == [-1]
    with pytest.raises(UsageProblem, match="no rows to be learned from"):
        require_learnable("the topic clickstream", one.part, one.labels.purchase, "purchases")


@pytest.mark.parametrize(("truth", "kind"), [(False, "no frauds at all"), (True, "only frauds")])
def test_one_kind_alone_teaches_nothing(truth: bool, kind: str) -> None:
    part = np.array([LEARN, LEARN, CHOOSE, CHOOSE, MEASURE, MEASURE])
    both = np.array([True, False] * 3)
    require_learnable("the set", part, both, "frauds")
    with pytest.raises(UsageProblem, match=kind):
        require_learnable("the set", part, np.where(part == CHOOSE, truth, both), "frauds")


def test_features_know_nothing_of_what_came_after_the_click() -> None:
    inputs = visit("a", 0, "page_viewed", "cart_viewed")
    before = click_set(topics.of(*inputs), BROKER, SETTLING).rows.features
    later = inputs + visit("a", 2 * MINUTE, "order_completed")
    after = click_set(topics.of(*later), BROKER, SETTLING).rows.features
    assert after.shape == (3, len(CLICK_FEATURES))
    np.testing.assert_array_equal(after[:2], before)
