"""Backpressure: what is delivered and not durable is bounded for each partition and in total."""

from app.kafka.fetched import Fetched
from app.kafka.inflight import InFlight
from app.kafka.options import TransportOptions

A, B = ("clickstream", 0), ("orders", 0)
OPTIONS = TransportOptions(
    partition_records=100, partition_bytes=10_000, partition_batches=4, total_records=150, total_bytes=50_000
)


def batch(tp: tuple[str, int], next_offset: int, records: int, size: int = 0) -> Fetched:
    return Fetched(
        topic=tp[0],
        partition=tp[1],
        first_offset=next_offset - records,
        next_offset=next_offset,
        end_offset=next_offset,
        generation=1,
        size=size,
        offsets=range(next_offset - records, next_offset),
        timestamps=[0] * records,
        keys=[None] * records,
        values=[b""] * records,
        headers=None,
    )


def test_a_partition_is_held_at_each_of_its_limits() -> None:
    for full in (batch(A, 100, 100), batch(A, 1, 1, size=10_000)):
        in_flight = InFlight(OPTIONS)
        in_flight.add(full)
        assert in_flight.held() == {A}
    in_flight = InFlight(OPTIONS)
    for offset in range(1, 4):
        in_flight.add(batch(A, offset, 1))
        assert in_flight.held() == frozenset()
    in_flight.add(batch(A, 4, 1))
    assert in_flight.held() == {A}


def test_it_is_read_again_when_half_is_durable() -> None:
    in_flight = InFlight(OPTIONS)
    for offset in (30, 60, 90, 120):
        in_flight.add(batch(A, offset, 30))
    assert in_flight.held() == {A}
    in_flight.release(A, 60)
    assert in_flight.held() == {A}
    in_flight.release(A, 90)
    assert in_flight.held() == frozenset()


def test_a_batch_that_is_durable_in_part_still_counts() -> None:
    in_flight = InFlight(OPTIONS)
    in_flight.add(batch(A, 100, 100, size=7))
    in_flight.release(A, 99)
    assert (in_flight.records, in_flight.size) == (100, 7)
    in_flight.release(A, 100)
    assert (in_flight.records, in_flight.size) == (0, 0)


def test_a_crowded_worker_still_reads_partitions_of_which_it_has_nothing() -> None:
    in_flight = InFlight(OPTIONS)
    in_flight.add(batch(A, 99, 99))
    in_flight.add(batch(B, 99, 60))
    assert in_flight.held() == {A, B}
    in_flight.release(B, 99)
    assert B not in in_flight.held()


def test_nothing_is_in_flight_after_partitions_are_given_up() -> None:
    in_flight = InFlight(OPTIONS)
    in_flight.add(batch(A, 100, 100))
    assert in_flight.held()
    in_flight.clear()
    assert (in_flight.records, in_flight.held(), in_flight.is_holding) == (0, frozenset(), False)
