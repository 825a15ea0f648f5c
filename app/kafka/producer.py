"""Output records, written as whole record batches."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import DuplicateSequenceNumber
from aiokafka.structs import RecordMetadata
from faust.transport.drivers import aiokafka as driver

from app.kafka.fetched import Partition
from app.kafka.options import TransportOptions
from app.kafka.record_batch import BATCH_OVERHEAD, ColumnBatch, encode_records


class RecordTooLarge(ValueError):
    """A record that the broker would reject; nothing of its call was sent."""

    def __init__(self, topic: str, key: bytes | None, size: int, limit: int) -> None:
        super().__init__(
            f"{topic}: the record with key {key!r} has {size} bytes, more than {limit}. "
            "Shorten it, or raise max_record_bytes here and max.message.bytes of the topic."
        )
        self.topic = topic
        self.key = key
        self.size = size
        self.limit = limit


class DeliveryFailed(RuntimeError):
    """The broker did not take a record batch: what it was made from must not be acknowledged."""

    def __init__(self, topic: str, partition: int, cause: BaseException) -> None:
        super().__init__(f"{topic}/{partition}: records were not delivered: {cause!r}")
        self.topic = topic
        self.partition = partition


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    """Records [n] for one partition of an existing topic, in order.

    ``timestamp`` is of all of them, in ms since the epoch; a value that is None is a tombstone; ``headers`` are
    encoded, see `app.kafka.record_batch.encode_headers`.
    """

    topic: str
    partition: int
    timestamp: int
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[bytes] | None = None

    @property
    def tp(self) -> Partition:
        """Where they go."""
        return (self.topic, self.partition)


def build_batches(options: TransportOptions, send: Send, *, transactional: bool = False) -> list[ColumnBatch]:
    """Split records into record batches of at most `producer_batch_bytes`, in order.

    Raises:
        RecordTooLarge: for a record over `max_record_bytes`.
    """
    batches: list[ColumnBatch] = []
    limit = options.producer_batch_bytes - BATCH_OVERHEAD
    start = 0
    for body, count in encode_records(send.keys, send.values, send.headers, limit):
        batch = ColumnBatch(body, count, send.timestamp, transactional)
        # A record that does not fit into a batch goes alone, so only those can be too large.
        if count == 1 and batch.size() > options.max_record_bytes:
            raise RecordTooLarge(send.topic, send.keys[start], batch.size(), options.max_record_bytes)
        batches.append(batch)
        start += count
    return batches


class Producer(driver.Producer):  # type: ignore[misc]
    """An idempotent producer (KIP-98, acks=all) of record batches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._turns: defaultdict[Partition, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def _options(self) -> TransportOptions:
        options: TransportOptions = self.app.transport_options
        return options

    def _settings_extra(self) -> dict[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def flush(self) -> None:
        """Wait until everything sent has been acknowledged or has failed."""
        if self._producer is not None:
            await self._producer.flush()

    async def send_records(self, send: Send) -> Awaitable[int]:
        """Hand records over to be sent, in order, after those of earlier calls for the same partition.

        Waits while earlier record batches of the partition are still to be sent.

        Returns:
            An awaitable of the offset after the last record, once all in-sync replicas have acknowledged every record.
            It raises `DeliveryFailed` when one was refused or got no answer within `delivery_timeout`.

        Raises:
            RecordTooLarge: before anything is sent.
            ValueError: if there are no records.
        """
        batches = build_batches(self._options, send)
        if not batches:
            raise ValueError(f"{send.topic}/{send.partition}: there are no records to send")
        producer = self._ensure_producer()
        async with self._turns[send.tp]:
            sent = [await producer.send_batch(batch, send.topic, partition=send.partition) for batch in batches]
        return self._delivered(sent, batches[-1].record_count(), *send.tp)

    async def _delivered(self, sent: Sequence[Awaitable[RecordMetadata]], last: int, topic: str, partition: int) -> int:
        try:
            async with asyncio.timeout(self._options.delivery_timeout):
                for delivery in sent:
                    base_offset: int = (await delivery).offset
        except Exception as error:
            raise DeliveryFailed(topic, partition, error) from error
        if base_offset < 0:
            # A repeated request whose first answer was lost, so long ago that the broker forgot the offset.
            raise DeliveryFailed(topic, partition, DuplicateSequenceNumber())
        return base_offset + last
