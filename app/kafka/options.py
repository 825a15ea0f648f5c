"""How much the transport reads ahead, and how long it waits."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """Limits of the batch transport. Counts are records, sizes bytes, times seconds unless named otherwise.

    A partition is paused at the broker while what was delivered of it and is not durable yet reaches one of
    the three partition limits, or while the worker's total reaches one of the two overall limits. A
    partition of which nothing is in flight is always read, so that alignment can wait for it without limit.
    """

    batch_records: int = 8_192
    batch_bytes: int = 4 << 20
    partition_records: int = 32_768
    partition_bytes: int = 16 << 20
    partition_batches: int = 64
    total_records: int = 131_072
    total_bytes: int = 64 << 20
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"
    fetch_bytes: int = 1 << 20
    """Of one partition in one fetch."""
    fetch_wait_ms: int = 500
    """How long the broker may hold a fetch that asks for every partition: new data ends it at once."""
    partial_fetch_wait_ms: int = 5
    """The same while a partition is paused or not taken yet, so that it is asked for again soon."""
    fetch_interval_ms: int = 8
    """Between an answer with records and the next fetch: a trickle costs fewer, fuller fetches."""
    drain_timeout: float = 5.0
    """For finishing what is being worked on before partitions are given up."""
    commit_timeout: float = 3.0
    """For the last commit before partitions are given up."""
    producer_batch_bytes: int = 512 << 10
    max_record_bytes: int = 1_000_000
    """Of one output record with its headers; at most the broker's `message.max.bytes`."""
    delivery_timeout: float = 60.0
    transaction_timeout: float = 15.0
    """After which the broker aborts a transaction: until then a consumer that reads committed records waits for it."""
