"""What is counted of a partition's orders or sessions is the same one by one and many at once."""

from hypothesis import given
from hypothesis import strategies as st

from app.state.flow import Flow


@given(st.integers(0, 40), st.lists(st.integers(0, 50), max_size=5), st.integers(1, 20))
def test_many_counted_at_once_are_the_same_as_one_after_the_other(before: int, counts: list[int], block: int) -> None:
    known = frozenset({"a"})
    one, many = (Flow(before, {"a": 1}, {"a": 2, "b": 3}) for _ in range(2))
    for count in counts:
        many.next_orders(count, block, known)
        for _ in range(count):
            one.next_order(block, known)
    assert one == many
