"""Orders that wait for answers: their turns, the deadline, and answers that come early, twice or too late."""

import numpy as np

from app.fanout.asker import Asked
from app.fanout.joiner import Joined, Joiner
from app.fanout.messages import AnswerBatch

NAN = np.nan
DEADLINE = 0.25


def asked(*orders: tuple[int, int]) -> Asked:
    """Orders by offset, with the number of owners that will answer; their own value is 1."""
    offsets, owners = np.array(orders, np.int64).reshape(-1, 2).T
    return Asked(offsets, np.tile([1.0, NAN, NAN], (len(orders), 1)), owners, [])


def answer(owner: int, offset: int, *values: float) -> AnswerBatch:
    return AnswerBatch(owner, np.array([offset]), np.zeros(1, np.uint8), np.array([[NAN, *values]]))


def told(joined: list[Joined]) -> list[tuple[int, list[float], bool]]:
    return [(order.offset, np.nan_to_num(order.values, nan=-1).tolist(), order.partial) for order in joined]


def test_an_order_goes_on_when_all_its_owners_have_answered() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((7, 2)), 0)
    joiner.receive(answer(0, 7, 5, NAN))
    assert joiner.take(0.1, True) == []
    joiner.receive(answer(0, 7, 5, NAN))  # again
    assert joiner.take(0.1, True) == []
    joiner.receive(answer(1, 7, NAN, 6))
    assert told(joiner.take(0.1, True)) == [(7, [1, 5, 6], False)]
    assert joiner.partial == 0


def test_an_order_that_asks_nobody_goes_on_at_once_but_in_its_turn() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((3, 1), (4, 0)), 0)
    assert joiner.take(0, True) == []
    joiner.receive(answer(2, 3, 5, NAN))
    assert [order.offset for order in joiner.take(0, True)] == [3, 4]


def test_at_the_deadline_an_order_goes_on_with_what_is_there_and_is_counted() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((1, 2), (2, 1)), 0)
    joiner.receive(answer(0, 1, 5, NAN))
    joiner.receive(answer(0, 2, 6, NAN))
    assert joiner.take(0, True) == []
    assert joiner.take(DEADLINE - 0.001, True) == []
    assert told(joiner.take(DEADLINE, True)) == [(1, [1, 5, -1], True), (2, [1, 6, -1], False)]
    assert joiner.partial == 1
    joiner.receive(answer(1, 1, NAN, 9))  # too late
    assert joiner.take(10, True) == []
    assert joiner.waiting == 0


def test_without_a_deadline_an_order_waits_without_limit() -> None:
    joiner = Joiner(None)
    joiner.expect(asked((1, 1)), 0)
    assert joiner.take(1e9, True) == []
    assert joiner.waiting == 1


def test_answers_that_come_before_their_order_wait_for_it() -> None:
    joiner = Joiner(DEADLINE)
    joiner.receive(answer(0, 5, 8, NAN))
    assert joiner.take(0, True) == []
    joiner.expect(asked((5, 1)), 0)
    assert told(joiner.take(0, True)) == [(5, [1, 8, -1], False)]


def test_in_a_backlog_there_is_no_deadline_and_it_counts_from_its_end() -> None:
    joiner = Joiner(DEADLINE)
    joiner.expect(asked((1, 1)), 0)
    assert joiner.take(100, False) == []
    assert joiner.take(101, True) == []
    assert joiner.take(101 + DEADLINE - 0.001, True) == []
    assert told(joiner.take(101 + DEADLINE, True)) == [(1, [1, -1, -1], True)]
