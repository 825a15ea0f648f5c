"""Orders that wait for answers: when they may go, the deadline, and answers that come early, twice or too late."""

import numpy as np
import pytest

from app.fanout.joiner import Joiner, Joiners
from app.fanout.messages import AnswerBatch, Asked
from app.velocity.catalogue import BY_NAME
from app.velocity.joined import Joined

NAN = np.nan
DEADLINE = 0.25
VELOCITIES = [BY_NAME[name] for name in ("user_orders_1h", "card_orders_1h", "device_orders_1h")]
OWN, FIRST, SECOND = (velocity.id for velocity in VELOCITIES)


def asked(*orders: tuple[int, int]) -> Asked:
    """Orders by offset, with the number of owners that will answer; their user's value is 1."""
    offsets, owners = np.array(orders, np.int64).reshape(-1, 2).T
    answering = np.arange(4)[None, :] < owners[:, None]
    values = np.ones((len(orders), 1))
    repeated = np.zeros(len(orders), np.bool_)
    return Asked(0, offsets, int(offsets.max()) + 1, (OWN,), values, (FIRST, SECOND), answering, repeated)


def answer(owner: int, offset: int, *values: float) -> AnswerBatch:
    return AnswerBatch(np.array([offset]), np.array([values]), (FIRST, SECOND), np.arange(4)[None, :] == owner)


def ready(joiner: Joiner, *offsets: int, now: float = 0.0, is_live: bool = True) -> int:
    return joiner.ready(np.array(offsets, np.int64), now, is_live)


def take(joiner: Joiner, *offsets: int) -> Joined:
    return joiner.take(np.array(offsets, np.int64), VELOCITIES)


def told(joined: Joined) -> list[tuple[list[float], bool]]:
    values = np.nan_to_num(joined.values, nan=-1).tolist()
    return list(zip(values, joined.partial.tolist(), strict=True))


def test_an_order_may_go_when_all_its_owners_have_answered() -> None:
    joiner = Joiner(DEADLINE)
    assert ready(joiner, 7) == 0, "nobody has asked about it"
    joiner.expect(asked((7, 2)))
    joiner.receive(answer(0, 7, 5, NAN))
    assert ready(joiner, 7) == 0
    joiner.receive(answer(0, 7, 5, NAN))  # again
    assert ready(joiner, 7) == 0
    joiner.receive(answer(1, 7, NAN, 6))
    assert ready(joiner, 7) == 1
    assert told(take(joiner, 7)) == [([1, 5, 6], False)]


def test_an_order_that_asks_nobody_may_go_at_once_but_in_its_turn() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((3, 1), (4, 0)))
    assert ready(joiner, 3, 4) == 0
    joiner.receive(answer(0, 3, 5, NAN))
    assert ready(joiner, 3, 4) == 2


def test_at_the_deadline_orders_go_on_with_what_is_there_and_are_marked() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((1, 2), (2, 1)))
    joiner.receive(answer(0, 1, 5, NAN))
    joiner.receive(answer(0, 2, 6, NAN))
    assert ready(joiner, 1, 2) == 0
    assert ready(joiner, 1, 2, now=DEADLINE - 0.001) == 0
    assert joiner.wait(1, DEADLINE - 0.001) == pytest.approx(0.001)
    assert ready(joiner, 1, 2, now=DEADLINE) == 2
    assert told(take(joiner, 1, 2)) == [([1, 5, -1], True), ([1, 6, -1], False)]


def test_each_order_has_a_deadline_from_when_it_came_itself() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((1, 1), (2, 1)))
    assert ready(joiner, 1) == 0
    assert ready(joiner, 1, 2, now=0.125) == 0
    assert ready(joiner, 1, 2, now=DEADLINE) == 1
    assert joiner.wait(2, DEADLINE) == 0.125
    assert ready(joiner, 2, now=DEADLINE + 0.125) == 1


def test_without_a_deadline_an_order_waits_without_limit() -> None:
    joiner = Joiner(None)
    joiner.expect(asked((1, 1)))
    assert ready(joiner, 1, now=1e9) == 0
    assert joiner.wait(1, 1e9) is None


def test_answers_that_come_before_their_order_wait_for_it() -> None:
    joiner = Joiner(DEADLINE)
    joiner.receive(answer(0, 5, 8, NAN))
    assert ready(joiner, 5) == 0
    joiner.expect(asked((5, 1)))
    assert told(take(joiner, 5)) == [([1, 8, -1], False)]


def test_in_a_backlog_there_is_no_deadline_and_it_counts_from_its_end() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((1, 1)))
    assert ready(joiner, 1, now=100, is_live=False) == 0
    assert joiner.wait(1, 100) is None
    assert ready(joiner, 1, now=101) == 0
    assert ready(joiner, 1, now=101 + DEADLINE - 0.001) == 0
    assert ready(joiner, 1, now=101 + DEADLINE) == 1


def test_an_order_that_nobody_will_ask_about_does_not_hold_a_backlog_up() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((4, 0)))
    assert ready(joiner, 3, 4, 5, is_live=False) == 2
    assert told(take(joiner, 3, 4)) == [([-1, -1, -1], True), ([1, -1, -1], False)]


def test_what_is_through_is_forgotten_and_answers_to_it_are_too_late() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((1, 1), (2, 1)))
    assert joiner.waiting == 2
    joiner.through(2)
    joiner.receive(answer(0, 1, 5, NAN))
    joiner.expect(asked((1, 1)))
    assert joiner.waiting == 1
    assert told(take(joiner, 1)) == [([-1, -1, -1], True)]


def test_orders_that_come_again_wait_anew() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((1, 1)))
    assert ready(joiner, 1) == 0
    joiner.again()
    assert ready(joiner, 1, now=10) == 0
    assert ready(joiner, 1, now=10 + DEADLINE) == 1


def test_what_an_owner_does_not_know_is_missing() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((1, 1)))
    joiner.receive(AnswerBatch(np.array([1]), np.array([[5.0]]), (FIRST,), np.array([[True, False]])))
    assert told(take(joiner, 1)) == [([1, 5, -1], True)]


def test_a_partition_that_begins_anew_has_nothing_of_before() -> None:
    joiners = Joiners(DEADLINE)
    joiners.of(3).expect(asked((1, 1)))
    assert joiners.of(3).waiting == 1
    joiners.forget(3)
    assert joiners.of(3).waiting == 0
