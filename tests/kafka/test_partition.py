"""Clicks, orders and labels of one user must meet on one partition, whoever produced them."""

import numpy as np
from aiokafka.partitioner import murmur2 as reference_murmur2
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.partition import murmur2, partition_of, partitions_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
KAFKA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def test_hashes_equal_the_vectors_of_kafkas_own_test() -> None:
    hashes = murmur2(list(KAFKA_VECTORS)).view(np.int32)
    assert hashes.tolist() == list(KAFKA_VECTORS.values())


@given(st.lists(st.binary(max_size=40)), st.integers(1, 1000))
def test_partitions_equal_those_of_the_kafka_client(keys: list[bytes], partitions: int) -> None:
    expected = [(reference_murmur2(key) & 0x7FFFFFFF) % partitions for key in keys]
    assert partitions_of(keys, partitions).tolist() == expected


def test_one_key_has_the_partition_it_has_among_others() -> None:
    keys = [b"u1", b"user-22", b"", "顾客".encode()]
    assert [partition_of(key, 12) for key in keys] == partitions_of(keys, 12).tolist()
